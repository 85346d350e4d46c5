"""A logistic model with crossed factors: 80 people answer 20 items, people and items both vary.

Every answer belongs to one person and one item, so neither factor is nested in the other. The answers are simulated:
people differ in ability and items in easiness, and a hint helps. So the estimates can be held against the truth.
"""

from __future__ import annotations

import numpy as np

import bayesml

INTERCEPT, HINT, SD_PERSON, SD_ITEM = -0.3, 0.7, 1.2, 0.8


def simulate(people: int = 80, items: int = 20, seed: int = 3) -> dict[str, np.ndarray]:
    """Simulate whether each person solves each item; half of the items come with a hint."""
    rng = np.random.default_rng(seed)
    person, item = (index.reshape(-1) for index in np.indices((people, items)))
    hint = rng.integers(0, 2, person.size)
    ability, easiness = rng.normal(0, SD_PERSON, people), rng.normal(0, SD_ITEM, items)
    logit = INTERCEPT + HINT * hint + ability[person] + easiness[item]
    return {
        "solved": rng.random(person.size) < 1 / (1 + np.exp(-logit)),
        "hint": hint,
        "person": np.char.add("P", person.astype(str)),
        "item": np.char.add("I", item.astype(str)),
    }


def main() -> None:
    """Fit, compare with the truth, look at the people, and predict a new one."""
    fit = bayesml.fit(
        "solved ~ hint + (1 | person) + (1 | item)", simulate(), family="bernoulli", seed=11, data_name="answers"
    )
    print(fit)
    print(f"\nThe truth: Intercept {INTERCEPT}, hint {HINT}, sd of people {SD_PERSON}, sd of items {SD_ITEM}.")

    print("\nThe three most able people (deviation in logits):")
    people = fit.ranef()["person"]
    print(people.nlargest(3, "Estimate").to_string(index=False, float_format="%.2f"))

    odds = np.exp(fit["b_hint"])
    print(f"\nA hint multiplies the odds by {float(odds.mean()):.2f}, and by more than 1.5 with probability ", end="")
    print(f"{float((odds > 1.5).mean()):.2f}.")

    print("\nProbability that somebody new solves item I0, without and with a hint:")
    newcomer = {"hint": [0, 1], "person": ["somebody new"] * 2, "item": ["I0"] * 2}
    print(fit.epred(newcomer, new_levels="gaussian", seed=1, summary=True).to_string(float_format="%.2f"))


if __name__ == "__main__":
    main()
