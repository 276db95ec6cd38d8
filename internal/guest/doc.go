// Package guest boots virtual machines of QEMU, without KVM and without root,
// for tests that need a kernel, a file system, a clock or a power switch of
// their own.
//
// FetchKernel downloads Debian's kernel once into the user's cache folder.
// Initramfs packs a root file system out of static programs and the modules
// that the test names. Start runs the machine, hands on what its console says,
// and takes QMP commands; Kill is a power cut: what the guest had not flushed
// is gone.
//
// A test may bring an init of its own, as audio/output/vmtest does, or use
// that of this package (guest/init), which does what the host asks of it: see
// Host. Nothing here is part of a product; only tests import it.
package guest
