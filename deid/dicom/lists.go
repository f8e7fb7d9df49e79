package dicom

// safeText are text attributes that table E.1-1 does not name and that tell of a
// technique or a make, never of a person: chosen by a device from its own list.
// What a person types (labels, comments, names of protocols) is not here.
var safeText = []tag{
	0x00080070, // Manufacturer
	0x00080103, // Coding Scheme Version
	0x00080112, // Coding Scheme Registry
	0x00081090, // Manufacturer's Model Name
	0x00082127, // View Name
	0x00180024, // Sequence Name
	0x00180031, // Radiopharmaceutical
	0x00180034, // Intervention Drug Name
	0x00180085, // Imaged Nucleus
	0x00181016, // Secondary Capture Device Manufacturer
	0x00181018, // Secondary Capture Device Manufacturer's Model Name
	0x00181019, // Secondary Capture Device Software Versions
	0x00181020, // Software Versions
	0x00181022, // Video Image Format Acquired
	0x00181023, // Digital Image Format Acquired
	0x00181040, // Contrast/Bolus Route
	0x00181061, // Trigger Source or Type
	0x00181064, // Cardiac Framing Type
	0x00181070, // Radiopharmaceutical Route
	0x00181085, // PVC Rejection
	0x00181160, // Filter Type
	0x00181161, // Type of Filters
	0x00181180, // Collimator/grid Name
	0x001811B0, // Acquisition Mode
	0x00181210, // Convolution Kernel
	0x00181250, // Receive Coil Name
	0x00181251, // Transmit Coil Name
	0x00181260, // Plate Type
	0x00181261, // Phosphor Type
	0x00185000, // Output Power
	0x00185010, // Transducer Data
	0x00185020, // Processing Function
	0x0018702A, // Detector Manufacturer Name
	0x0018702B, // Detector Manufacturer's Model Name
	0x00189005, // Pulse Sequence Name
	0x00189041, // Receive Coil Manufacturer Name
	0x00189047, // Multi-Coil Element Name
	0x00189050, // Transmit Coil Manufacturer Name
	0x00189320, // Image Filter
	0x00201040, // Position Reference Indicator
	0x00209056, // Stack ID
	0x00209421, // Dimension Description Label
	0x00281054, // Rescale Type
	0x00283004, // Modality LUT Type
	0x00409210, // LUT Label
	0x00480106, // Optical Path Identifier
	0x00541101, // Attenuation Correction Method
	0x00541103, // Reconstruction Method
	0x00541104, // Detector Lines of Response Used
	0x00541105, // Scatter Correction Method
	0x006A000E, // Referenced Optical Path Identifier
	0x300A0226, // Source Isotope Name
}

// idsAnyway are numbers and code strings that table E.1-1 does not name and that
// tell a study or a person from others: removed, like the ids that it does name.
var idsAnyway = []tag{
	0x00041130, // File-set ID
	0x00041141, // File-set Descriptor File ID
	0x00041500, // Referenced File ID: a path
	0x00101022, // Patient's Body Mass Index, as of size and weight, which it names
	0x00201070, // Other Study Numbers
	0x00203402, // Modified Image ID
}

// neededText are text attributes that must not be empty where they are (type 1)
// and that a person types: they become a dummy, so that the file stays valid.
var neededText = []tag{
	0x0040A160, // Text Value
	0x00620005, // Segment Label
	0x00620009, // Segment Algorithm Name
	0x00620020, // Tracking ID
	0x00660036, // Algorithm Name
	0x00660031, // Algorithm Version
	0x00700006, // Unformatted Text Value
	0x30020002, // RT Image Label
}

// safeBulk are attributes of VR OB, OD, OF, OL, OV or OW that hold samples,
// points and tables, besides pixel data. ICC profiles are not here: they have
// room for text.
var safeBulk = []tag{
	0x00181638,                                     // Vertices of the Polygonal Outline
	0x00221531,                                     // Two Dimensional to Three Dimensional Map Data
	0x00281201, 0x00281202, 0x00281203, 0x00281204, // palettes
	0x00281211, 0x00281212, 0x00281213, // large palettes (retired)
	0x00281221, 0x00281222, 0x00281223, 0x00281224, // segmented palettes
	0x00281408,                                     // Blending Lookup Table Data
	0x00283006,                                     // LUT Data
	0x00640009,                                     // Vector Grid Data
	0x00660016,                                     // Point Coordinates Data
	0x00660021,                                     // Vector Coordinate Data
	0x00660022,                                     // Double Point Coordinates Data
	0x00660040, 0x00660041, 0x00660042, 0x00660043, // indices of primitives
	0x00660125, // Floating Point Values
	0x00660129, // Track Point Index List
	0x006A0011, // Annotation Index List
	0x54000110, // Channel Minimum Value
	0x54000112, // Channel Maximum Value
	0x5400100A, // Waveform Padding Value
	0x54001010, // Waveform Data
	0x56000010, // First Order Phase Correction Angle
	0x56000020, // Spectroscopy Data
}

// publicSchemes are coding schemes whose meanings are published (PS3.16 table
// 8-1). The meaning of a code of any other scheme is what somebody typed.
var publicSchemes = []string{
	"ACR", "ASTM-sigpurpose", "BI", "DCM", "DCMUID", "DQCM", "FMA", "I10", "I10P", "I9", "I9C", "IBSI", "ICD10", "ICDO3", "ISO3166_1", "ISO639_1",
	"ISO639_2", "LN", "MAD", "MAYOASRG", "MDC", "MDNS", "NCIt", "NEU", "PHINVADS", "POS", "RADELEMENT", "RADLEX", "RFC3066", "RFC5646",
	"RO", "SCPECG", "SCT", "SNM3", "SRT", "UBERON", "UCUM", "UMLS", "UNS", "UWS",
}
