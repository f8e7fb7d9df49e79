package seal

import "golang.org/x/sys/unix"

// media says what the file system under dir keeps of a file that was overwritten
// and removed. Overwriting is a courtesy: the guarantee is the generation key.
func media(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "a file system that could not be told: take it that old blocks are kept"
	}
	switch uint32(s.Type) {
	case 0xef53:
		return "ext: overwritten in place; its journal (data=journal), a snapshot below it or a solid-state disk may keep old blocks"
	case 0x58465342:
		return "xfs: overwritten in place unless its blocks were shared (reflink); a snapshot below it or a solid-state disk may keep old blocks"
	case 0x01021994:
		return "tmpfs: in memory; swap may keep old pages"
	case 0x9123683e:
		return "btrfs, which copies on write: old blocks stay until they are used again, and in every snapshot"
	case 0x2fc12fc1:
		return "zfs, which copies on write: old blocks stay until they are used again, and in every snapshot"
	case 0x794c7630:
		return "overlayfs: what lies in a lower layer stays there"
	case 0x6969:
		return "nfs: what the server's disk and its snapshots keep is not known here"
	}
	return "a file system that is not known here: take it that old blocks are kept"
}
