"""What the name of a number says: which way is better, and how likely it is the result of a run.

A name that is not known says nothing: whoever needs a direction then asks for it. It is never guessed.
"""

import re

from autoresearch.run.measurement import Direction

_DOWN = frozenset(
    {
        *(
            "loss",
            "losses",
            "err",
            "error",
            "errors",
            "perplexity",
            "ppl",
            "wer",
            "cer",
            "latency",
            "nll",
            "bpb",
            "bpc",
        ),
        *("fid", "mse", "mae", "rmse", "mape", "rmsle", "regret", "ece", "brier", "xent", "crossentropy", "logloss"),
    }
)
_UP = frozenset(
    {
        *(
            "acc",
            "accuracy",
            "accuracies",
            "reward",
            "rewards",
            "rew",
            "return",
            "returns",
            "score",
            "f1",
            "auc",
            "auroc",
        ),
        *(
            "auprc",
            "bleu",
            "rouge",
            "meteor",
            "pass",
            "win",
            "winrate",
            "throughput",
            "mfu",
            "precision",
            "recall",
            "r2",
        ),
        *("ndcg", "mrr", "iou", "miou", "dice", "psnr", "ssim", "success", "solved", "correct", "fps", "em"),
    }
)
_OF_RL = frozenset({"policy", "pg", "actor", "critic", "value", "vf", "qf", "q", "td", "surrogate", "entropy", "clip"})
"""Whose loss says nothing of how good a policy is: it rises and falls with what the policy meets."""
_NEGATED = frozenset({"neg", "negative", "negated", "minus"})
_TURNED = _NEGATED | {
    *("free", "drop", "dropped", "hacking", "hacked", "gap", "decrease", "reduction", "reduced", "degradation"),
    *("delta", "diff", "difference", "not", "non", "without"),
}
"""Words that turn what the others say: less of `error` is better, of `error_free_rate` more."""
_SPEED = frozenset({"latency", "throughput", "mfu", "fps", "second", "seconds", "sec", "time", "runtime"})
_HELD_OUT = frozenset({"test", "eval", "evaluation", "val", "valid", "validation", "dev", "heldout", "holdout"})
_TRAINING = frozenset({"train", "training", "batch", "minibatch", "step", "running"})
_OF_WHAT = _HELD_OUT | _TRAINING | {"", "at", "mean", "avg", "std"}


def direction_of(name: str) -> Direction | None:
    """Which way is better by the last word of a name that says so; None where none does.

    `eval_loss` falls, `val/acc` and `mean_reward` rise, `reward_loss` falls, `tokens_per_second` rises. A room of
    several numbers says nothing of each (`losses/entropy`), but where a name only says of what it is (`Loss/train`).
    A negated loss rises (`neg_log_loss`); another word that turns the meaning makes a name unknown (`acc_drop`).
    """
    words = _own_words(name)
    if turned := _TURNED.intersection(words):
        rest = [one for one in words if one not in _NEGATED and one not in _OF_WHAT]
        negated = turned <= _NEGATED and next(one for one in words if one not in _OF_WHAT) in _NEGATED
        falls = negated and direction_of("_".join(rest)) is Direction.MINIMIZE
        return Direction.MAXIMIZE if falls else None
    if words[-1] in {"loss", "losses"} and {one.rstrip("0123456789") for one in words} & _OF_RL:
        return None
    if "per" in words and words[-1] in _SPEED | {"s"}:
        return Direction.MAXIMIZE
    for word in reversed([one if one in _DOWN | _UP else one.rstrip("0123456789") for one in words]):
        if word in _DOWN | _UP:
            return Direction.MINIMIZE if word in _DOWN else Direction.MAXIMIZE
    return None


SAY_DIRECTION = "say --direction maximize or --direction minimize (objective.direction in the file)"


def likelihood(name: str) -> int:
    """How likely a name whose direction is known is the result of a run: held out before training, goals before losses.

    Speed is a result only where there is nothing else; the best of several looks is not the last.
    """
    words = set(_words(name))
    if words & _SPEED:
        return -10
    held_out, training = bool(words & _HELD_OUT), bool(words & _TRAINING)
    kind = 1 if direction_of(name) is Direction.MINIMIZE else 2
    return kind + 3 * held_out + ("final" in words) - 2 * (training and not held_out) - ("best" in words)


def why_unknown(name: str) -> str:
    """What to say where the direction of a metric has to be known and its name does not tell it."""
    return f"the name {name!r} does not say whether more or less of it is better: {SAY_DIRECTION}"


def against_goal(goal: str, name: str, better: Direction) -> str:
    """What a goal says against the direction of its metric, in words; empty for nothing.

    It does where it begins with a verb of one way (`lower`, `reduce`). One that goes up has to name the metric too, and
    a goal that names another number which goes its way is none: who wants accuracy may measure a loss.
    """
    lead = r"(?i)^\W*(?:(?:please|to|we|want|try|let's)\s+)*"
    first = _VERB.match(re.sub(lead, "", goal, count=1))
    ways = {_way_of(verb, name) for verb in _VERB.findall(goal)}
    if first is None or len(ways) > 1:
        return ""
    verb, words = first.group(1), set(_words(goal))
    way, named = _way_of(verb, name), bool(words & set(_words(name)) - _OF_WHAT)
    silent = not named and (way is not Direction.MINIMIZE or way in {direction_of(one) for one in words})
    if way in {None, better} or silent:
        return ""
    return f"the goal {goal!r} says {verb!r}, but the direction of {name} is {better}"


_RISE = r"raise|increase|maximi[sz]e|boost"
_VERB = re.compile(rf"(?i)\b(lower|lessen|reduce|minimi[sz]e|decrease|cut|shrink|improve|{_RISE})(?:s|d)?\b")


def _way_of(verb: str, name: str) -> Direction | None:
    if verb.lower() == "improve":
        return direction_of(name)
    return Direction.MAXIMIZE if re.fullmatch(_RISE, verb.lower()) else Direction.MINIMIZE


def _own_words(name: str) -> list[str]:
    """Words of the last part of a name, and of the part before while there are only those that say of what it is."""
    parts = re.split(r"[/:]", name)
    words = _words(parts.pop())
    while parts and set(words) <= _OF_WHAT:
        words = [*_words(parts.pop()), *words]
    return words


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z]+\d?", apart.lower()) or [""]
