"""Where ideas come from: one file per researcher."""

BUILTIN = {
    "agent": "autoresearch.researchers.agent.researcher:AgentResearcher",
    "file": "autoresearch.researchers.file:FileResearcher",
    "playbook": "autoresearch.researchers.playbook.researcher:PlaybookResearcher",
    "search": "autoresearch.researchers.search.researcher:SearchResearcher",
}
