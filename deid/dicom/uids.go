package dicom

// maxUID is the length of a UID (PS3.5 section 9.1).
const maxUID = 64

// isUID reports whether b is a UID: digits in components, none with a leading
// zero. Old systems wrote others; those are replaced as well as any, but what
// is kept or made must be one.
func isUID[T ~string | ~[]byte](b T) bool {
	if len(b) == 0 || len(b) > maxUID {
		return false
	}
	digits := 0
	for i := 0; i <= len(b); i++ {
		switch {
		case i == len(b) || b[i] == '.':
			if digits == 0 || digits > 1 && b[i-digits] == '0' {
				return false
			}
			digits = 0
		case b[i] >= '0' && b[i] <= '9':
			digits++
		default:
			return false
		}
	}
	return true
}

const dicomRoot = "1.2.840.10008."

// isRegistered reports whether a UID has the form of those that DICOM itself
// registers (PS3.6 table A-1): its root and a few short components. Nothing
// that counts patients or studies fits.
func isRegistered[T ~string | ~[]byte](b T) bool {
	if len(b) > 40 || len(b) < len(dicomRoot) || string(b[:len(dicomRoot)]) != dicomRoot || !isUID(b) {
		return false
	}
	digits := 0
	for i := len(dicomRoot); i < len(b); i++ {
		if b[i] == '.' {
			digits = 0
		} else if digits++; digits > 4 {
			return false
		}
	}
	return true
}

// isSharedFrame reports whether a UID is one of DICOM's own frames of reference
// or palettes: the same in every file of the world (PS3.6 section A).
func isSharedFrame(b []byte) bool {
	const frames, palettes = dicomRoot + "1.4.", dicomRoot + "1.5."
	return isRegistered(b) && (string(b[:len(frames)]) == frames || string(b[:len(palettes)]) == palettes)
}
