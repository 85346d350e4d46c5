"""The shipped data sets as values: name in, ``DataSet`` out. The rows lie beside this file, in ``data/<name>.csv``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a data set.

    Attributes:
        name: its name in the data frame.
        meaning: what was measured, and in which unit.
        is_factor: whether it is a label, so that it is loaded as a categorical.
        levels: the order of the labels where it is not the sorted order; empty where it is.
    """

    name: str
    meaning: str
    is_factor: bool = False
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A shipped data set.

    Attributes:
        name: what ``load_dataset`` takes.
        title: one line saying what it is.
        rows: number of rows.
        columns: its columns in the order of the data frame.
        source: the publication the data come from.
        example: a formula that is often fitted to it.
        family: the family of that formula.
    """

    name: str
    title: str
    rows: int
    columns: tuple[Column, ...]
    source: str
    example: str
    family: str = "gaussian"


def factor(name: str, meaning: str, levels: tuple[str, ...] = ()) -> Column:
    """Return a column of labels."""
    return Column(name, meaning, is_factor=True, levels=levels)


DAVIES = "Davies, O. L., and Goldsmith, P. L. (eds.) (1972). Statistical Methods in Research and Production, 4th ed."
GELMAN_HILL = (
    "Gelman, A., and Hill, J. (2007). Data Analysis Using Regression and Multilevel/Hierarchical Models. "
    "Cambridge University Press"
)

_ALL = (
    DataSet(
        "sleepstudy",
        "Reaction times of 18 people over ten days of restricted sleep",
        180,
        (
            Column("Reaction", "average reaction time, in milliseconds"),
            Column("Days", "days of sleep restriction, 0 to 9"),
            factor("Subject", "the person"),
        ),
        "Belenky, G., et al. (2003). Patterns of performance degradation and restoration during sleep restriction and "
        "subsequent recovery: a sleep dose-response study. Journal of Sleep Research 12, 1-12.",
        "Reaction ~ Days + (Days | Subject)",
    ),
    DataSet(
        "cbpp",
        "Contagious bovine pleuropneumonia in 15 herds of zebu cattle",
        56,
        (
            factor("herd", "the herd", tuple(str(herd) for herd in range(1, 16))),
            Column("incidence", "new serological cases in the period"),
            Column("size", "animals at the beginning of the period"),
            factor("period", "the period, 1 to 4"),
        ),
        "Lesnoff, M., et al. (2004). Within-herd spread of contagious bovine pleuropneumonia in Ethiopian highlands. "
        "Preventive Veterinary Medicine 64, 27-40.",
        "incidence | trials(size) ~ period + (1 | herd)",
        "binomial",
    ),
    DataSet(
        "Penicillin",
        "Diameters of growth inhibition of six penicillin samples, each on all of 24 plates",
        144,
        (
            Column("diameter", "diameter of the zone of inhibition, in millimetres"),
            factor("plate", "the assay plate"),
            factor("sample", "the penicillin sample"),
        ),
        f"{DAVIES}, section 6.6. Oliver and Boyd.",
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
    ),
    DataSet(
        "Pastes",
        "Strength of a chemical paste: ten deliveries, three casks of each, two tests of each cask",
        60,
        (
            Column("strength", "paste strength"),
            factor("batch", "the delivery"),
            factor("cask", "the cask within its delivery"),
            factor("sample", "the cask over all deliveries, batch:cask"),
        ),
        f"{DAVIES}, section 6.5. Oliver and Boyd.",
        "strength ~ 1 + (1 | batch/cask)",
    ),
    DataSet(
        "Dyestuff",
        "Yield of dyestuff from six batches of an intermediate product",
        30,
        (factor("Batch", "the batch"), Column("Yield", "yield of standard colour, in grams")),
        f"{DAVIES}, section 6.4. Oliver and Boyd.",
        "Yield ~ 1 + (1 | Batch)",
    ),
    DataSet(
        "tumors",
        "Tumors in 71 control groups of laboratory rats",
        71,
        (Column("y", "rats with a tumor"), Column("K", "rats in the group")),
        "Tarone, R. E. (1982). The use of historical control information in testing for a trend in proportions. "
        "Biometrics 38, 215-220; Gelman, A., et al. (2013). Bayesian Data Analysis, 3rd ed., section 5.1.",
        "y | trials(K) ~ 1",
        "binomial",
    ),
    DataSet(
        "radon",
        "Radon in 919 houses in the 85 counties of Minnesota",
        919,
        (
            Column("floor", "where it was measured: 0 basement, 1 first floor"),
            factor("county", "the county"),
            Column("log_radon", "logarithm of the radon level, in pCi/L"),
            Column("log_uranium", "logarithm of the uranium in the soil of the county, in ppm"),
        ),
        "Price, P. N., Nero, A. V., and Gelman, A. (1996). Bayesian prediction of mean indoor radon concentrations for "
        f"Minnesota counties. Health Physics 71, 922-936; {GELMAN_HILL}, chapter 12.",
        "log_radon ~ floor + log_uranium + (floor | county)",
    ),
    DataSet(
        "kidiq",
        "Test scores of 434 children and what is known of their mothers",
        434,
        (
            Column("kid_score", "test score of the child at age three or four"),
            Column("mom_hs", "1 if the mother finished high school, else 0"),
            Column("mom_iq", "intelligence score of the mother"),
            Column("mom_age", "age of the mother at the birth, in years"),
        ),
        f"{GELMAN_HILL}, chapter 3.",
        "kid_score ~ mom_hs * mom_iq",
    ),
    DataSet(
        "wells",
        "Households in Bangladesh that did or did not change from an arsenic-polluted well",
        3020,
        (
            Column("switch", "1 if the household changed to another well, else 0"),
            Column("arsenic", "arsenic in the old well, in hundreds of micrograms per litre"),
            Column("dist", "distance to the nearest safe well, in metres"),
            Column("assoc", "1 if a member of the household is active in a community association, else 0"),
            Column("educ", "schooling of the head of the household, in years"),
        ),
        f"{GELMAN_HILL}, section 5.4.",
        "switch ~ I(dist / 100) + arsenic",
        "bernoulli",
    ),
    DataSet(
        "roaches",
        "Cockroaches caught in 262 apartments after pest management or none",
        262,
        (
            Column("y", "roaches caught after the treatment"),
            Column("roach1", "roaches caught before the treatment"),
            Column("treatment", "1 if the apartment was treated, else 0"),
            Column("senior", "1 if the building is for the elderly only, else 0"),
            Column("exposure2", "trap days of the second count, relative to the usual"),
        ),
        f"{GELMAN_HILL}, section 8.3.",
        "y ~ I(roach1 / 100) + treatment + senior + offset(log(exposure2))",
        "negbinomial",
    ),
    DataSet(
        "epilepsy",
        "Seizures of 59 patients in four two-week periods, under progabide or placebo",
        236,
        (
            Column("Age", "age, in years"),
            Column("Base", "seizures in the eight weeks before the treatment"),
            factor("Trt", "0 placebo, 1 progabide"),
            factor("patient", "the patient", tuple(str(patient) for patient in range(1, 60))),
            factor("visit", "the period, 1 to 4"),
            Column("count", "seizures in the two weeks before the visit"),
            factor("obs", "the row, for an effect of every observation", tuple(str(row) for row in range(1, 237))),
            Column("zAge", "Age, standardised"),
            Column("zBase", "Base, standardised"),
        ),
        "Thall, P. F., and Vail, S. C. (1990). Some covariance models for longitudinal count data with overdispersion. "
        "Biometrics 46, 657-671.",
        "count ~ zAge + zBase * Trt + (1 | patient)",
        "poisson",
    ),
    DataSet(
        "inhaler",
        "Clarity of the leaflets of two inhalation devices, rated by 286 patients in a cross-over trial",
        572,
        (
            factor("subject", "the patient", tuple(str(subject) for subject in range(1, 287))),
            Column("rating", "1 easy to 4 not clear"),
            Column("treat", "the device: -0.5 or 0.5"),
            Column("period", "the period of the trial: -0.5 or 0.5"),
            Column("carry", "carry-over of the first device: -1, 0 or 1"),
        ),
        "Ezzet, F., and Whitehead, J. (1991). A random effects model for ordinal responses from a crossover trial. "
        "Statistics in Medicine 10, 901-907.",
        "rating ~ treat + period + carry + (1 | subject)",
    ),
    DataSet(
        "kidney",
        "Times to infection at the catheter of 38 dialysis patients, two each",
        76,
        (
            Column("time", "days to infection, or to the end of observation"),
            Column("censored", "1 if the observation ended before an infection, else 0"),
            factor("patient", "the patient", tuple(str(patient) for patient in range(1, 39))),
            factor("recur", "first (1) or second (2) catheter"),
            Column("age", "age, in years"),
            factor("sex", "male or female", ("male", "female")),
            factor("disease", "kidney disease", ("other", "GN", "AN", "PKD")),
        ),
        "McGilchrist, C. A., and Aisbett, C. W. (1991). Regression with frailty in survival analysis. "
        "Biometrics 47, 461-466.",
        "time ~ age * sex + disease + (1 | patient)",
        "lognormal",
    ),
    DataSet(
        "loss",
        "Cumulative insurance losses of ten accident years, as they develop",
        55,
        (
            factor("AY", "accident year"),
            Column("dev", "months since the beginning of the accident year"),
            Column("cum", "cumulative loss paid"),
            Column("premium", "premium of the accident year"),
        ),
        "Gesmann, M., and Morris, J. (2020). Hierarchical compartmental reserving models. "
        "Casualty Actuarial Society, CAS Research Papers.",
        "log(cum) ~ log(dev) + (1 | AY)",
    ),
)

DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}
