"""One plug-in of each kind, as the pages "write your own ..." print them."""
