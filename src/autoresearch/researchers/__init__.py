"""Where ideas come from: one file per researcher."""

BUILTIN = {
    "file": "autoresearch.researchers.file:FileResearcher",
    "playbook": "autoresearch.researchers.playbook:PlaybookResearcher",
    "search": "autoresearch.researchers.search:SearchResearcher",
}
