"""Where ideas come from: one file per researcher."""

BUILTIN = {
    "agent": "autoresearch.researchers.agent:AgentResearcher",
    "file": "autoresearch.researchers.file:FileResearcher",
    "playbook": "autoresearch.researchers.playbook:PlaybookResearcher",
    "search": "autoresearch.researchers.search:SearchResearcher",
}
