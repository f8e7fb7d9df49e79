package disclosure

// SegmentSize is how many entries a segment covers.
const SegmentSize = segmentSize
