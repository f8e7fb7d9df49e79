package dicom

// Action is what happened to a data element.
type Action uint8

// The actions.
const (
	Removed         Action = iota // X
	Emptied                       // Z
	Dummied                       // D
	UIDReplaced                   // U
	Coded                         // Z or D by a code of Codes
	Kept                          // K, by an option
	Cleaned                       // C, text through the Cleaner
	Shifted                       // C, a date by the patient's shift
	UnlistedRemoved               // not in table E.1-1, and may hold words
	UnlistedDummied               // the same, where it may not be empty
	UnlistedUID                   // not in table E.1-1, and a UID
	PrivateRemoved                // a private attribute
	GraphicsRemoved               // an overlay or a curve
	Malformed                     // removed: not of its value representation
	Actions                       // how many there are
)

var actionNames = [Actions]string{
	"removed", "emptied", "dummied", "uid-replaced", "coded", "kept", "cleaned", "shifted", "unlisted-removed", "unlisted-dummied",
	"unlisted-uid", "private-removed", "graphics-removed", "malformed-removed",
}

// String is the action's name in a manifest.
func (a Action) String() string {
	if a < Actions {
		return actionNames[a]
	}
	return "unknown"
}

// Manifest says what was done to one file, without any of its values.
type Manifest struct {
	Digest         [32]byte        // SHA-256 of what was written
	Bytes          int64           // written
	SOPClass       string          // DICOM's own UID of the kind of object
	TransferSyntax string          // DICOM's own UID of the encoding
	Elements       int             // data elements that were ruled on
	Actions        [Actions]int    // data elements by what happened to them; those not counted passed
	Options        [NumOptions]int // data elements that an option kept or cleaned
	Frames         int             // frames of pixel data
	Regions        int             // rectangles blanked in each frame
	BlankedBytes   int             // of comments in compressed streams
	HiddenBits     bool            // bits outside those stored were not zero
}
