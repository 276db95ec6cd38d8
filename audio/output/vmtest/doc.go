// Package vmtest plays to real ALSA drivers without a sound card: in a QEMU
// guest, without KVM, whose kernel is Debian's own and whose cards are an Intel
// HDA codec, a USB card that can be unplugged, and the kernel's Dummy and
// Loopback cards; on x86 and on 32-bit ARM.
//
// It has only tests. The test binary is the guest's init as well: as process 1
// it loads the sound modules, runs the plays of guest_test.go and prints what
// came of them; the test on the host boots it, pulls the plug when asked to,
// and compares what QEMU heard with the clips. Kernels and machines are those of
// internal/guest.
package vmtest
