// A third party's reading of a log: golang.org/x/mod/sumdb/note and .../tlog, which were written for Go's checksum
// database, over the files of a C2SP tlog-tiles folder. They know Ed25519 alone, so of a head they judge that signature.
//
//	main FOLDER KEYFILE [HEAD...]
//	main -proof FILE KEYFILE
//
// Prints { ok, origin, size, root, signedBy, findings }; ends with 0 if it holds, else with 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	mostBytes  = 4 << 20
)

type verdict struct {
	OK       bool     `json:"ok"`
	Origin   string   `json:"origin"`
	Size     int64    `json:"size"`
	Root     string   `json:"root"`
	SignedBy []string `json:"signedBy"`
	Findings []string `json:"findings"`
	// How often each of the library's checks was made.
	Entries    int64 `json:"entries"`
	Inclusions int   `json:"inclusions"`
	TreeProofs int   `json:"treeProofs"`
	NotInScope int   `json:"notInScope"`
	verifiers  note.Verifiers
}

func main() {
	v := &verdict{SignedBy: []string{}, Findings: []string{}}
	args := os.Args[1:]
	switch {
	case len(args) == 3 && args[0] == "-proof":
		v.try(args[1], func() error { return v.readKeys(args[2]) })
		v.try(args[1], func() error { return v.proof(args[1], nil) })
	case len(args) >= 2:
		v.try(args[1], func() error { return v.readKeys(args[1]) })
		v.try(args[0], func() error { return v.log(args[0], args[2:]) })
	default:
		v.Findings = append(v.Findings, "usage: main FOLDER KEYFILE [HEAD...] | main -proof FILE KEYFILE")
	}
	v.OK = len(v.Findings) == 0
	out, _ := json.MarshalIndent(v, "", "  ")
	fmt.Println(string(out))
	if !v.OK {
		os.Exit(1)
	}
}

func (v *verdict) try(where string, act func() error) {
	if err := act(); err != nil {
		v.Findings = append(v.Findings, where+": "+err.Error())
	}
}

// readKeys takes the Ed25519 keys of a log key file; the library refuses the others by their algorithm.
func (v *verdict) readKeys(file string) error {
	text, err := read(file)
	if err != nil {
		return err
	}
	var verifiers []note.Verifier
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verifier, err := note.NewVerifier(line)
		if err != nil {
			if err.Error() == "unknown verifier algorithm" {
				continue
			}
			return fmt.Errorf("%v: %.60s", err, line)
		}
		verifiers = append(verifiers, verifier)
	}
	v.verifiers = note.VerifierList(verifiers...)
	return nil
}

type head struct {
	origin string
	tree   tlog.Tree
	sigs   []note.Signature
}

// open verifies a head. Of a generation without an Ed25519 key there is nothing that the library could verify.
func (v *verdict) open(msg []byte) (*head, error) {
	n, err := note.Open(msg, v.verifiers)
	if err != nil {
		return nil, err
	}
	// tlog.ParseTree insists on the first line of Go's own database.
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return nil, errors.New("malformed checkpoint")
	}
	size, err := decimal(lines[1])
	if err != nil {
		return nil, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	for _, sig := range n.Sigs {
		if sig.Name != lines[0] {
			return nil, errors.New("a signature under another name than the origin")
		}
	}
	return &head{lines[0], tlog.Tree{N: size, Hash: root}, n.Sigs}, nil
}

func isUnverified(err error) bool {
	_, is := err.(*note.UnverifiedNoteError)
	return is
}

func (v *verdict) log(folder string, heads []string) error {
	msg, err := read(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	head, err := v.open(msg)
	if err != nil {
		return fmt.Errorf("checkpoint: %v", err)
	}
	v.Origin, v.Size, v.Root = head.origin, head.tree.N, head.tree.Hash.String()
	for _, sig := range head.sigs {
		v.SignedBy = append(v.SignedBy, fmt.Sprintf("ed25519 %08x", sig.Hash))
	}
	hashes := tlog.TileHashReader(head.tree, folderTiles(folder))
	v.try("tiles", func() error { return v.treeHash(head.tree, hashes) })
	v.try("entries", func() error { return v.entries(folder, head.tree, hashes) })
	v.try("inclusion", func() error { return v.inclusion(folder, head.tree, hashes) })
	kept, _ := filepath.Glob(filepath.Join(folder, "checkpoints", "*"))
	sort.Strings(kept)
	for _, file := range append(kept, heads...) {
		file := file
		v.try(file, func() error { return v.keptHead(file, head.tree, hashes) })
	}
	crossings, _ := filepath.Glob(filepath.Join(folder, "crossings", "*.tlog-proof"))
	for _, file := range crossings {
		file := file
		older := func(tree tlog.Tree) error { return v.treeProof(tree, head.tree, hashes) }
		v.try(file, func() error { return v.proof(file, older) })
	}
	return nil
}

func (v *verdict) treeHash(tree tlog.Tree, hashes tlog.HashReader) error {
	if tree.N == 0 {
		return nil
	}
	root, err := tlog.TreeHash(tree.N, hashes)
	if err == nil && root != tree.Hash {
		err = errors.New("the tiles lead to another root")
	}
	return err
}

// entries compares each entry with the tree, and builds the tree once more from the entries alone.
func (v *verdict) entries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, errors.New("a hash that isn't stored yet")
			}
			out[i] = stored[index]
		}
		return out, nil
	})
	for n := int64(0); n*tileWidth < tree.N; n++ {
		bundle, err := readBundle(folder, n, tree.N)
		if err != nil {
			return err
		}
		indexes := make([]int64, len(bundle))
		for i := range bundle {
			indexes[i] = tlog.StoredHashIndex(0, n*tileWidth+int64(i))
		}
		inTree, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range bundle {
			at := n*tileWidth + int64(i)
			if tlog.RecordHash(entry) != inTree[i] {
				return fmt.Errorf("entry %d isn't the one in the tree", at)
			}
			more, err := tlog.StoredHashes(at, entry, own)
			if err != nil {
				return err
			}
			stored = append(stored, more...)
			v.Entries++
		}
	}
	return v.treeHash(tree, own)
}

func (v *verdict) inclusion(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	for n := int64(0); n*tileWidth < tree.N; n++ {
		bundle, err := readBundle(folder, n, tree.N)
		if err != nil {
			return err
		}
		for _, i := range []int{0, len(bundle) / 2, len(bundle) - 1} {
			at := n*tileWidth + int64(i)
			proof, err := tlog.ProveRecord(tree.N, at, hashes)
			if err != nil {
				return err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(bundle[i])); err != nil {
				return fmt.Errorf("entry %d: %v", at, err)
			}
			v.Inclusions++
		}
	}
	return nil
}

func (v *verdict) keptHead(file string, newest tlog.Tree, hashes tlog.HashReader) error {
	msg, err := read(file)
	if err != nil {
		return err
	}
	older, err := v.open(msg)
	if isUnverified(err) {
		v.NotInScope++
		return nil
	}
	if err != nil {
		return err
	}
	return v.treeProof(older.tree, newest, hashes)
}

func (v *verdict) treeProof(older, newest tlog.Tree, hashes tlog.HashReader) error {
	if older.N > newest.N {
		return errors.New("a head newer than the log")
	}
	if older.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(newest.N, older.N, hashes)
	if err != nil {
		return err
	}
	v.TreeProofs++
	return tlog.CheckTree(proof, newest.N, newest.Hash, older.N, older.Hash)
}

// proof checks a C2SP tlog-proof that has its entry at the end of its extra data.
func (v *verdict) proof(file string, older func(tlog.Tree) error) error {
	msg, err := read(file)
	if err != nil {
		return err
	}
	parts := bytes.SplitN(msg, []byte("\n\n"), 2)
	lines := strings.Split(string(parts[0]), "\n")
	if len(parts) != 2 || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("malformed proof")
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return errors.New("a proof without extra data or index")
	}
	extra, err := base64.StdEncoding.Strict().DecodeString(lines[1][len("extra "):])
	if err != nil {
		return err
	}
	index, err := decimal(lines[2][len("index "):])
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	head, err := v.open(parts[1])
	if isUnverified(err) && older != nil {
		v.NotInScope++
		return nil
	}
	if err != nil {
		return err
	}
	if older == nil {
		v.Origin, v.Size, v.Root = head.origin, head.tree.N, head.tree.Hash.String()
	}
	entry := lastEntry(extra)
	if entry == nil {
		return errors.New("no entry in the extra data")
	}
	if err := tlog.CheckRecord(proof, head.tree.N, head.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	v.Inclusions++
	if older == nil {
		return nil
	}
	return older(head.tree)
}

func lastEntry(extra []byte) []byte {
	lines := bytes.Split(extra, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if bytes.HasPrefix(lines[i], []byte("{\"event_hash\":")) {
			return lines[i]
		}
	}
	return nil
}

// folderTiles is a folder of C2SP tiles: `tile/<L>/<N>` where the library says `tile/8/<L>/<N>`.
type folderTiles string

func (folder folderTiles) Height() int                             { return tileHeight }
func (folder folderTiles) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}

func (folder folderTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path, width := c2spPath(tile), tile.W
		if _, err := os.Lstat(filepath.Join(string(folder), path)); errors.Is(err, os.ErrNotExist) {
			full := tile
			full.W = tileWidth
			path, width = c2spPath(full), tileWidth
		}
		content, err := read(filepath.Join(string(folder), path))
		if err != nil {
			return nil, err
		}
		if len(content) != width*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(content))
		}
		data[i] = content[:tile.W*tlog.HashSize]
	}
	return data, nil
}

func c2spPath(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

func readBundle(folder string, n, size int64) ([][]byte, error) {
	width := int64(tileWidth)
	if size-n*tileWidth < width {
		width = size - n*tileWidth
	}
	// The library's own name for records is "data".
	name := func(w int64) string {
		tile := c2spPath(tlog.Tile{H: tileHeight, L: -1, N: n, W: int(w)})
		return filepath.Join(folder, strings.Replace(tile, "tile/data/", "tile/entries/", 1))
	}
	path, there := name(width), width
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		path, there = name(tileWidth), tileWidth
	}
	content, err := read(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(content) > 0 {
		if len(content) < 2 {
			return nil, fmt.Errorf("%s ends in half a length", path)
		}
		length := int(content[0])<<8 | int(content[1])
		if len(content) < 2+length {
			return nil, fmt.Errorf("%s ends in half an entry", path)
		}
		entries = append(entries, content[2:2+length])
		content = content[2+length:]
	}
	if int64(len(entries)) != there {
		return nil, fmt.Errorf("%s has %d entries", path, len(entries))
	}
	return entries[:width], nil
}

func read(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > mostBytes {
		return nil, fmt.Errorf("%s isn't a file of at most %d bytes", file, mostBytes)
	}
	return os.ReadFile(file)
}

func decimal(text string) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || strconv.FormatInt(value, 10) != text {
		return 0, fmt.Errorf("%q isn't a decimal number", text)
	}
	return value, nil
}
