package importer

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// text is an input as UTF-8.
type text struct {
	*bufio.Reader
	raw   *counter
	utf16 bool
	bom   bool // it began with a byte order mark, which says that it is Unicode
}

// counter counts what was read.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// readText finds out how the input is written. [head] is its beginning as it is, by which an import is known again.
func readText(source io.Reader) (in *text, head []byte, err error) {
	in = &text{raw: &counter{Reader: source}}
	in.Reader = bufio.NewReaderSize(in.raw, max(peek, maxLine)+1)
	if head, err = in.Peek(peek); err != nil && err != io.EOF {
		return nil, nil, err
	}
	head = bytes.Clone(head)
	endian, utf16 := utf16Of(head)
	in.utf16 = utf16
	in.bom = bytes.HasPrefix(head, bom) || bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
	if utf16 {
		in.Reader = bufio.NewReaderSize(unicode.UTF16(endian, unicode.UseBOM).NewDecoder().Reader(in.Reader), max(peek, maxLine)+1)
	}
	return in, head, nil
}

// utf16Of says whether an input is UTF-16, by its mark or by the zeros that every other byte of its header is then.
func utf16Of(head []byte) (unicode.Endianness, bool) {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.LittleEndian, true
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.BigEndian, true
	}
	const looked = 16
	if len(head) < looked {
		return unicode.LittleEndian, false
	}
	var zeros [2]int
	for i, b := range head[:looked] {
		if b == 0 {
			zeros[i%2]++
		}
	}
	return [2]unicode.Endianness{unicode.BigEndian, unicode.LittleEndian}[zeros[1]/(looked/2)], zeros == [2]int{0, looked / 2} || zeros == [2]int{looked / 2, 0}
}

// windows1252 reads a line as a Spanish Excel saves it. It is false for one that has what no name has there: then it is
// written in yet another way, and would be read as something else. So would one of which a part is UTF-8.
func windows1252(line []byte) ([]byte, bool) {
	out := make([]byte, 0, len(line)+8)
	for i := 0; i < len(line); {
		b := line[i]
		if _, n := utf8.DecodeRune(line[i:]); n > 1 || b >= 0x80 && !spanish(b) {
			return nil, false
		}
		out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(b))
		i++
	}
	return out, true
}

// spanish says whether a byte beyond ASCII is one that names, addresses and their blanks have in Windows-1252: a letter, º, ª, °,
// ´, ·, ’ or a blank. What DOS and old Macs use for letters is mostly something else.
func spanish(b byte) bool {
	const times, divided = 0xd7, 0xf7
	return b >= 0xc0 && b != times && b != divided || bytes.IndexByte([]byte("\xba\xaa\xb0\xb4\xb7\x92\xa0"), b) >= 0
}
