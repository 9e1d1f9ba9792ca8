// Exists so that the precompiled header has a unit to be made for.
