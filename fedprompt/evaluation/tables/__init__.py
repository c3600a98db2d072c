"""Tables of untrusted rows, one file format a module, all bounded before they are parsed."""
