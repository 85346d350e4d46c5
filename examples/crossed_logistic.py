"""A logistic model with crossed factors: 80 people answer 20 items, people and items both vary.

Every answer belongs to one person and one item, so neither factor is nested in the other. People differ in ability and
in how much a hint helps them; items differ in difficulty.
"""

from __future__ import annotations

import numpy as np

import bayesml


def simulate(people: int = 80, items: int = 20, seed: int = 3) -> dict[str, np.ndarray]:
    """Simulate answers with known truth: sd 1.2 (people), 0.6 (their hint effects), 0.8 (items), hint effect 0.7."""
    rng = np.random.default_rng(seed)
    person, item = (index.reshape(-1) for index in np.indices((people, items)))
    hint = rng.integers(0, 2, person.size)
    ability, gain = rng.normal(0, 1.2, people), rng.normal(0, 0.6, people)
    easiness = rng.normal(0, 0.8, items)
    logit = -0.3 + (0.7 + gain[person]) * hint + ability[person] + easiness[item]
    answer = rng.random(person.size) < 1 / (1 + np.exp(-logit))
    return {
        "answer": np.where(answer, "right", "wrong"),
        "hint": hint,
        "person": np.char.add("P", person.astype(str)),
        "item": np.char.add("I", item.astype(str)),
    }


def main() -> None:
    """Fit, look at the people, and predict a new one."""
    data = simulate()
    fit = bayesml.fit(
        "answer ~ hint + (hint | person) + (1 | item)", data, family="bernoulli", seed=11, data_name="answers"
    )
    print(fit)

    print("\nThe five most able people (deviation in logits):")
    people = fit.ranef()["person"]
    intercepts = people[people["coef"] == "Intercept"].sort_values("Estimate", ascending=False)
    print(intercepts.head().to_string(index=False, float_format="%.2f"))

    newcomer = {"hint": [0, 1], "person": ["someone new"] * 2, "item": ["I0"] * 2}
    print("\nProbability that someone new solves item I0, without and with a hint:")
    print(fit.epred(newcomer, new_levels="gaussian", seed=1, summary=True).to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
