// A library of headers alone still needs one unit.
