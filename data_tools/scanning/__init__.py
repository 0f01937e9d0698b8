"""What a scan does with each file: find it, read it once, cut it into sequences, judge every hand in every frame."""
