"""Recipes: YAML files that inherit from each other, and overrides in Hydra's grammar on top."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf


class OverridesError(Exception):
    """An override on the command line cannot be read or does not fit the recipe."""


def register_omegaconf_resolvers() -> None:
    """Make `${add:..}`, `${mul:..}`, `${div:..}` and `${max:..}` work in recipes."""
    resolvers = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b, "max": max}
    for name, function in resolvers.items():
        if not OmegaConf.has_resolver(name):
            OmegaConf.register_new_resolver(name, function)


def load_config(path: str | Path) -> DictConfig:
    """Read a recipe and, below it, the parents its `defaults` names.

    `defaults` is a path or a list of paths relative to the file that names them; later parents win over earlier ones
    and the file itself wins over all. A top-level section marked `_override_: true` replaces the parents' section.
    """
    path = Path(path)
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig), "Config must be a Dictionary Config (List Config not supported)"
    if "defaults" not in config:
        return config
    defaults = config.pop("defaults")
    names = list(defaults) if isinstance(defaults, ListConfig) else [defaults]
    merged = OmegaConf.create({})
    for name in names:
        merged = _merge(merged, load_config(path.parent / str(name)))
    return _merge(merged, config)


def parse_hydra_overrides(config: DictConfig, overrides: list[str]) -> DictConfig:
    """Apply overrides such as `grpo.seed=7`, `+new.key=1` and `~old.key`; keys must exist unless added with a plus.

    Raises:
        OverridesError: One of them cannot be parsed or applied.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser

    try:
        OmegaConf.set_struct(config, True)
        ConfigLoaderImpl._apply_overrides_to_config(
            overrides=OverridesParser.create().parse_overrides(overrides=overrides), cfg=config
        )
    except Exception as error:
        raise OverridesError(f"Failed to parse Hydra overrides: {error}") from error
    return config


def _merge(base: DictConfig, config: DictConfig) -> DictConfig:
    for section in list(config):
        if OmegaConf.is_missing(config, section) or OmegaConf.is_interpolation(config, section):
            continue
        content = config[section]
        if isinstance(content, DictConfig) and content.pop("_override_", False):
            base.pop(section, None)
    merged = OmegaConf.merge(base, config)
    assert isinstance(merged, DictConfig)
    return merged
