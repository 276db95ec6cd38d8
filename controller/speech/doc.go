// Package speech makes spoken texts into sound and says what is wrong with
// them before.
//
// A spoken text (朗读文本) is what a synthesiser reads; the displayed text
// (显示文本) is what people read. They differ where a synthesiser errs: digits and
// Latin letters are written as Chinese words, and a character with several
// readings carries its own in brackets behind the word, a syllable for each
// character: 银行[yin2 hang2]. Plain gives the displayed form back.
//
// Check, Fix and Length are pure. A Synthesiser runs espeak-ng or a command that
// the operator configured: a fixed list of arguments without a shell, the text
// on standard input, a WAV file on standard output, bounded in time, size and
// number. It is safe for concurrent use.
package speech
