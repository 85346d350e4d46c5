"""The objects that users see, whose methods name the verbs, and how they come about: fitting, updating, extending."""
