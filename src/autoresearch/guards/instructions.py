"""Files by which a repository tells coding agents what to do: the next agent would read what this one wrote.

By agent, because each is driven by an adapter that answers for its own list; together they are part of no experiment,
whichever agent works on it. Written in small letters: file systems and agents differ in whether case matters.
"""

from collections.abc import Mapping

INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "any": (
        "agents.md", "agent.md", "agents.*.md", "agents/**/skill.md", ".agents/**", ".agent/**", ".rules", ".mcp.json",
        "mcp.json", ".vscode/mcp.json", ".vscode/settings.json", ".vscode/tasks.json", ".devcontainer/**",
        ".devcontainer.json", ".envrc", ".mise.toml", "mise.toml", ".mise/**", ".tool-versions",
    ),
    "claude": ("claude.md", "claude.*.md", ".claude.json", ".claude/**", ".claudeignore", ".claude-plugin/**"),
    "codex": (".codex/**", ".codexignore"),
    "gemini": ("gemini.md", ".gemini/**", ".geminiignore", "qwen.md", ".qwen/**"),
    "opencode": ("opencode.json", "opencode.jsonc", "tui.json", "tui.jsonc", ".opencode/**", "context.md"),
    "aider": (".aider*", ".aider*/**"),
    "mini": (".mini-swe-agent/**", ".mswea/**"),
    "cursor": (".cursorrules", ".cursor/**", ".cursorignore", ".cursorindexingignore"),
    "copilot": (
        ".github/copilot*", ".github/copilot*/**", ".github/instructions/**", ".github/prompts/**",
        ".github/agents/**", ".github/chatmodes/**", ".github/skills/**", ".github/hooks/**", "*.instructions.md",
        "*.prompt.md", "*.chatmode.md", "*.agent.md", ".copilot/**",
    ),
    "goose": (".goosehints", ".gooseignore", ".goose/**"),
    "windsurf": (".windsurfrules", ".windsurf/**", ".codeium/**", ".codeiumignore"),
    "others": (
        ".clinerules", ".clinerules/**", ".cline/**", ".clineignore", ".roo/**", ".roorules*", ".roomodes",
        ".rooignore", ".kilocode/**", ".kilocode*",
        ".continue/**", ".continuerules", ".zed/**", ".junie/**", ".kiro/**", ".amp/**", ".augment/**", ".augment-*",
        "crush.md", "crush.json", ".crush.json", ".crush/**", ".openhands/**", ".openhands_instructions", "warp.md",
        ".trae/**", ".amazonq/**", ".idx/**", "replit.md", ".replit", ".factory/**", ".forge/**",
        ".tabnine/**", ".cody/**", ".sourcegraph/**", ".pearai/**", ".void/**", ".zencoder/**", ".plandex*/**",
        ".jules/**", "jules.md", ".mentat/**", ".mentat_config.json", ".gptme.toml",
        "gptme.toml", ".pr_agent.toml", ".coderabbit.yaml", ".rovodev/**", ".iflow/**", "iflow.md", ".vibe/**",
    ),
}  # fmt: skip
"""What each agent reads of the repository that it works in, at any depth."""

GLOBS = tuple(f"**/{glob}" for globs in INSTRUCTIONS.values() for glob in globs)
"""All of them, as patterns for paths in small letters."""
