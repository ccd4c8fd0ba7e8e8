"""Who else is told: one file per tracker."""

BUILTIN: dict[str, str] = {}
