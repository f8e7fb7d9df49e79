package dicom

// attributeType is what an IOD asks of an attribute (PS3.5 section 7.4).
type attributeType uint8

const (
	unknownType attributeType = iota
	type1                     // must have a value (1 and 1C)
	type2                     // must be there, may be empty (2 and 2C)
	type3                     // may be absent
)

// plainImages are the storage SOP classes of single-frame images that are made
// of the modules of PS3.3 section C.7 and one module of their modality: the
// types in plainTypes hold for them. RT's and ophthalmic ones ask for more.
var plainImages = []string{
	"1.2.840.10008.5.1.4.1.1.1",      // Computed Radiography
	"1.2.840.10008.5.1.4.1.1.1.1",    // Digital X-Ray, for presentation
	"1.2.840.10008.5.1.4.1.1.1.1.1",  // Digital X-Ray, for processing
	"1.2.840.10008.5.1.4.1.1.1.2",    // Digital Mammography, for presentation
	"1.2.840.10008.5.1.4.1.1.1.2.1",  // Digital Mammography, for processing
	"1.2.840.10008.5.1.4.1.1.2",      // CT
	"1.2.840.10008.5.1.4.1.1.3.1",    // Ultrasound Multi-frame
	"1.2.840.10008.5.1.4.1.1.4",      // MR
	"1.2.840.10008.5.1.4.1.1.6.1",    // Ultrasound
	"1.2.840.10008.5.1.4.1.1.7",      // Secondary Capture
	"1.2.840.10008.5.1.4.1.1.12.1",   // X-Ray Angiographic
	"1.2.840.10008.5.1.4.1.1.12.2",   // X-Ray Radiofluoroscopic
	"1.2.840.10008.5.1.4.1.1.20",     // Nuclear Medicine
	petImage,                         // Positron Emission Tomography
	"1.2.840.10008.5.1.4.1.1.77.1.4", // VL Photographic
	"1.2.840.10008.5.1.4.1.1.77.1.1", // VL Endoscopic
	"1.2.840.10008.5.1.4.1.1.77.1.2", // VL Microscopic
}

const petImage = "1.2.840.10008.5.1.4.1.1.128"

// plainTypes are the types at the top level of a plain image of the attributes
// for which table E.1-1 leaves a choice.
var plainTypes = map[tag]attributeType{
	0x00080012: type3, // Instance Creation Date: SOP Common
	0x00080013: type3, // Instance Creation Time
	0x00080021: type3, // Series Date: General Series
	0x00080031: type3, // Series Time
	0x00080022: type3, // Acquisition Date: General Image
	0x00080032: type3, // Acquisition Time
	0x0008002A: type3, // Acquisition DateTime
	0x00080023: type2, // Content Date: 2C
	0x00080033: type2, // Content Time: 2C
	0x00080080: type3, // Institution Name: General Equipment
	0x00080082: type3, // Institution Code Sequence
	0x00081010: type3, // Station Name
	0x00181000: type3, // Device Serial Number
	0x00081070: type3, // Operators' Name: General Series
	0x00081072: type3, // Operator Identification Sequence
	0x00181030: type3, // Protocol Name
	0x00081110: type3, // Referenced Study Sequence: General Study
	0x00081111: type3, // Referenced Performed Procedure Step Sequence
	0x00100020: type2, // Patient ID: Patient
	0x00102203: type2, // Patient's Sex Neutered: 2C
	0x00180010: type2, // Contrast/Bolus Agent: Contrast/Bolus
	0x00181400: type3, // Acquisition Device Processing Description
	0x0018700A: type3, // Detector ID
	0x0018700C: type3, // Date of Last Detector Calibration
	0x0018700E: type3, // Time of Last Detector Calibration
	0x00321060: type3, // Requested Procedure Description: in none of their modules
	0x00400555: type2, // Acquisition Context Sequence: Acquisition Context
}

// petTypes are where the PET IOD asks for more (PS3.3 sections C.8.9.1, C.8.9.4).
var petTypes = map[tag]attributeType{
	0x00080021: type1,
	0x00080031: type1,
	0x00080022: type2,
	0x00080032: type2,
}

// typeOf is the type of an attribute in the IOD of a SOP class, if it is known.
func typeOf(t tag, class string, plain bool) attributeType {
	if class == petImage {
		if k := petTypes[t]; k != unknownType {
			return k
		}
	}
	if plain {
		return plainTypes[t]
	}
	return unknownType
}

// settle makes one action of the table's choices.
func (b base) settle(k attributeType) base {
	switch b {
	case baseZorD:
		if k == type2 || k == type3 {
			return baseZ
		}
		return baseD
	case baseXorZ:
		if k == type3 {
			return baseX
		}
		return baseZ
	case baseXorD:
		if k == type3 {
			return baseX
		}
		return baseD
	case baseXorZD:
		switch k {
		case type3:
			return baseX
		case type2:
			return baseZ
		}
		return baseD
	case baseXorZU:
		switch k {
		case type3:
			return baseX
		case type2:
			return baseZ
		}
		return baseU
	}
	return b
}
