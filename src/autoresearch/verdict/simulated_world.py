"""What simulated campaigns are made of: streams of ideas, and the world they are tried in."""

from dataclasses import dataclass, field

from autoresearch.experiment.board import PolicySettings


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What researchers come up with.

    Attributes:
        good: Share of true improvements.
        null: Share of ideas without effect; the rest is harmful.
        crash: Share that gives no metric at all.
        fade: Best ideas first: the k-th improvement is 3 * exp(-k / fade) times as large; None for no order.
        builds: Ideas after a true keep are good with probability 0.3, after a false one with 0.1.
        interacting: Share of pairs with an interaction of standard deviation 0.5.
        heavy: Noise is Student's t with 3 degrees, and 7 % of runs collapse.
        collapse: Share of runs that collapse by five noises and more, with noise that is normal otherwise.
        centre: Mean of normally distributed effects; None for the mixture of the other fields.
        width: Standard deviation of those.
        effects: What ideas are drawn from, each as likely, in place of any of these; empty for none.
        drift: Change of every metric over the campaign's budget, in units of the noise.
    """

    good: float = 0.20
    null: float = 0.35
    crash: float = 0.08
    fade: float | None = None
    builds: bool = False
    interacting: float = 0.0
    heavy: bool = False
    drift: float = 0.0
    collapse: float = 0.0
    centre: float | None = None
    width: float = 1.0
    effects: tuple[float, ...] = ()


STREAMS: dict[str, Stream] = {
    "base": Stream(),
    "null": Stream(good=0.0, null=1.0, crash=0.0),
    "decay": Stream(fade=40.0),
    "sparse": Stream(good=0.08, null=0.40),
    "heavy": Stream(heavy=True),
    "builds": Stream(builds=True),
    "interactions": Stream(interacting=0.15),
    "drift": Stream(drift=2.0),
    "half": Stream(good=0.5, null=0.1),
    "spike": Stream(good=0.1, null=0.7),
    "small positive": Stream(centre=0.5, width=0.25, crash=0.0),
    "normal": Stream(centre=-0.5, width=1.0),
    "collapses": Stream(collapse=0.1),
}


@dataclass(frozen=True, kw_only=True)
class World:
    """One simulated campaign's terms.

    Attributes:
        stream: What researchers come up with.
        noise: Standard deviation of one run, in mean improvements.
        runs: Runs the campaign holds; None for no limit, then `experiments` must be given.
        experiments: Most ideas; None for no limit.
        rho: Correlation of two configurations run with one seed.
        slots: Runs at a time.
        settings: What a campaign file would say; `worth` in mean improvements.
    """

    stream: Stream = Stream()
    noise: float = 1.0
    runs: int | None = 100
    experiments: int | None = None
    rho: float = 0.0
    slots: int = 1
    settings: PolicySettings = field(default_factory=lambda: PolicySettings(worth=1.0))
