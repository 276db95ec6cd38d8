// Gatecast: recording in the browser. The microphone's samples become a WAV file in the form's own file field, so that the form
// sends it like one that was chosen, and no machine needs a program for what browsers record otherwise.
(function () {
  'use strict';
  var Audio = window.AudioContext || window.webkitAudioContext;

  function wav(parts, frames, rate) {
    var buf = new ArrayBuffer(44 + 2 * frames), v = new DataView(buf), at = 44;
    var text = function (o, s) { for (var i = 0; i < s.length; i++) v.setUint8(o + i, s.charCodeAt(i)); };
    text(0, 'RIFF'); v.setUint32(4, 36 + 2 * frames, true); text(8, 'WAVEfmt ');
    v.setUint32(16, 16, true); v.setUint16(20, 1, true); v.setUint16(22, 1, true);
    v.setUint32(24, rate, true); v.setUint32(28, 2 * rate, true); v.setUint16(32, 2, true); v.setUint16(34, 16, true);
    text(36, 'data'); v.setUint32(40, 2 * frames, true);
    parts.forEach(function (p) {
      for (var i = 0; i < p.length; i++, at += 2) v.setInt16(at, Math.max(-1, Math.min(1, p[i])) * 32767, true);
    });
    return new File([buf], 'recording.wav', { type: 'audio/wav' });
  }

  document.querySelectorAll('[data-recorder]').forEach(function (box) {
    var $ = function (sel) { return box.querySelector(sel); };
    var said = $('[data-record-said]'), play = $('[data-record-play]'), input = $('input[type=file]'), clock = $('[data-record-time]'), meter = $('[data-record-level]');
    var start = $('[data-record=start]'), stop = $('[data-record=stop]'), drop = $('[data-record=drop]');
    if (!Audio || !navigator.mediaDevices || !window.DataTransfer) { said.textContent = box.dataset.none; return; }
    $('[data-record-tools]').hidden = false;
    var session = null;

    function show(recording, done) {
      start.hidden = recording; stop.hidden = !recording; drop.hidden = recording || !done; play.hidden = !done;
    }
    function forget() {
      if (play.src) URL.revokeObjectURL(play.src);
      play.removeAttribute('src');
      input.value = '';
      clock.textContent = '0:00';
      show(false, false);
    }
    function end(full) {
      if (!session) return;
      var s = session; session = null;
      s.node.disconnect(); s.source.disconnect();
      s.stream.getTracks().forEach(function (t) { t.stop(); });
      s.context.close();
      meter.value = 0;
      if (s.frames < s.rate) { forget(); said.textContent = box.dataset.short; return; }
      var file = wav(s.parts, s.frames, s.rate), t = new DataTransfer();
      t.items.add(file);
      input.files = t.files;
      input.dispatchEvent(new Event('change', { bubbles: true }));
      play.src = URL.createObjectURL(file);
      said.textContent = full ? box.dataset.full : box.dataset.ready;
      show(false, true);
    }
    start.addEventListener('click', function () {
      forget();
      start.disabled = true;
      navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } }).then(function (stream) {
        var context = new Audio(), source = context.createMediaStreamSource(stream), node = context.createScriptProcessor(4096, 1, 1);
        var s = { stream: stream, context: context, source: source, node: node, parts: [], frames: 0, rate: context.sampleRate };
        session = s;
        node.onaudioprocess = function (e) {
          if (session !== s) return;
          var data = new Float32Array(e.inputBuffer.getChannelData(0)), peak = 0;
          for (var i = 0; i < data.length; i++) peak = Math.max(peak, Math.abs(data[i]));
          s.parts.push(data); s.frames += data.length;
          meter.value = peak;
          var t = Math.floor(s.frames / s.rate);
          clock.textContent = Math.floor(t / 60) + ':' + (t % 60 < 10 ? '0' : '') + t % 60;
          if (t >= Number(box.dataset.limit)) end(true);
        };
        source.connect(node); node.connect(context.destination);   // a node that leads nowhere is not run
        start.disabled = false;
        show(true, false);
        stop.focus();
      }, function () { start.disabled = false; said.textContent = box.dataset.denied; });
    });
    stop.addEventListener('click', function () { end(false); });
    drop.addEventListener('click', function () { forget(); start.focus(); });
    window.addEventListener('pagehide', function () { end(false); });
  });
})();
