package diligence

// Formats are the exports that can be read.
var Formats = []string{"caiq", "hecvat"}
