package agent

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// ownerOf finds whose the client's end of a loopback connection is, in the kernel's
// table of TCP sockets, proc_net(5): columns "local_address", "rem_address", "uid",
// "inode". A socket that its program has closed belongs to nobody, and the table
// says 0, root's number, for its owner: it is known by having no inode.
//
// It is a variable as on the systems that have no such table.
var ownerOf = func(client, server net.Addr) (uid int, ok bool) {
	c, ok1 := client.(*net.TCPAddr)
	s, ok2 := server.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return 0, false
	}
	table := "/proc/self/net/tcp6"
	if c.IP.To4() != nil {
		table = "/proc/self/net/tcp"
	}
	f, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	if uid, ok := findSocket(f, c, s); ok {
		return uid, true
	}
	if c.IP.To4() == nil {
		return 0, false
	}
	// A program that speaks IPv4 through an IPv6 socket stands in the other table.
	f6, err := os.Open("/proc/self/net/tcp6")
	if err != nil {
		return 0, false
	}
	defer f6.Close()
	return findSocket(f6, mapped(c), mapped(s))
}

// mappedAddr marks an address to be written as IPv4 in IPv6.
func mapped(a *net.TCPAddr) *net.TCPAddr {
	return &net.TCPAddr{IP: a.IP, Port: a.Port, Zone: "mapped"}
}

func findSocket(table io.Reader, local, remote *net.TCPAddr) (uid int, ok bool) {
	wantLocal, wantRemote := kernelAddr(local), kernelAddr(remote)
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 10 || f[1] != wantLocal || f[2] != wantRemote {
			continue
		}
		if f[9] == "0" {
			return 0, false
		}
		uid, err := strconv.Atoi(f[7])
		return uid, err == nil
	}
	return 0, false
}

// kernelAddr writes an address as the kernel does: 32-bit words in the machine's
// order, which is little-endian on every system that this runs on.
func kernelAddr(a *net.TCPAddr) string {
	ip := a.IP.To4()
	if ip == nil || a.Zone == "mapped" {
		ip = a.IP.To16()
	}
	var b strings.Builder
	for i := 0; i+4 <= len(ip); i += 4 {
		b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{ip[i+3], ip[i+2], ip[i+1], ip[i]})))
	}
	b.WriteString(":")
	port := strings.ToUpper(strconv.FormatInt(int64(a.Port), 16))
	b.WriteString(strings.Repeat("0", 4-len(port)) + port)
	return b.String()
}
