"""How training frameworks spell things: one file per framework, found by being here; `recognition` uses them."""
