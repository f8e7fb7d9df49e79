package text

func (f *finder) script(i int) {}

func (f *finder) scriptInvalid(i, j int) bool { return false }

func (f *finder) deny() {}
