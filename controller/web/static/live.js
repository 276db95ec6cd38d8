// Gatecast: live cards, dropped files, and the forms that answer on their own. Loaded after ui.js; every page works without it.
(function () {
  'use strict';
  var $ = function (sel) { return document.querySelector(sel); };
  var $$ = function (sel, root) { return Array.prototype.slice.call((root || document).querySelectorAll(sel)); };

  // Live cards. What the reader is doing inside a card survives its replacement: focus and caret, opened rows and menus, scroll.
  function path(el, root) {                       // how to find the same element again
    if (el.id) return '#' + CSS.escape(el.id);
    var steps = [];
    for (; el && el !== root; el = el.parentElement) steps.unshift(':nth-child(' + (Array.prototype.indexOf.call(el.parentNode.children, el) + 1) + ')');
    return ':scope > ' + steps.join(' > ');
  }
  function find(root, sel) { try { return root.querySelector(sel); } catch (e) { return null; } }

  function swap(box, html) {
    var act = document.activeElement, inside = box.contains(act) && act !== box, sel = inside && path(act, box), href = inside && act.getAttribute('href');
    var caret = inside && 'selectionStart' in act ? [act.value, act.selectionStart, act.selectionEnd] : null;
    var open = $$('[aria-expanded]', box).filter(function (b) { return b.getAttribute('aria-controls'); }).map(function (b) { return [b.getAttribute('aria-controls'), b.getAttribute('aria-expanded')]; });
    var menus = $$('details', box).map(function (d) { return d.open; });
    var rows = $$('.table-wrap', box).map(function (d) { return d.scrollLeft; });
    box.innerHTML = html;
    open.forEach(function (o) {
      var b = $$('[aria-controls]', box).filter(function (b) { return b.getAttribute('aria-controls') === o[0]; })[0];
      if (!b) return;
      b.setAttribute('aria-expanded', o[1]);
      o[0].split(' ').forEach(function (id) { var r = document.getElementById(id); if (r) r.hidden = o[1] !== 'true'; });
    });
    $$('details', box).forEach(function (d, i) { if (menus[i]) d.open = true; });
    $$('.table-wrap', box).forEach(function (d, i) { if (rows[i]) d.scrollLeft = rows[i]; });
    if (!inside) return;
    var again = (href && $$('[href]', box).filter(function (a) { return a.getAttribute('href') === href; })[0]) || find(box, sel);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (caret && 'value' in again) { again.value = caret[0]; try { again.setSelectionRange(caret[1], caret[2]); } catch (e) { /* not a text field */ } }
  }

  var url = document.body.dataset.events, source = null;
  function listen() {
    var have = $$('[data-live]').map(function (b) { return b.dataset.live + '.' + b.dataset.hash; }).join(',');
    if (!have || source) return;
    source = new EventSource(url + (url.indexOf('?') < 0 ? '?' : '&') + 'have=' + encodeURIComponent(have));
    source.addEventListener('card', function (e) {
      var c = JSON.parse(e.data), box = document.querySelector('[data-live="' + c.id + '"]');
      if (!box || box.dataset.hash === c.hash) return;
      box.dataset.hash = c.hash;
      swap(box, c.html);
    });
    source.addEventListener('gone', function () {
      hush();
      url = '';
      if (!$$('input:not([type=hidden]), textarea').some(function (f) { return f.value !== f.defaultValue; })) { location.reload(); return; }
      var t = document.createElement('div');                 // what was typed must not be lost
      t.className = 'toast'; t.textContent = document.body.dataset.gone;
      document.getElementById('toasts').appendChild(t);
    });
  }
  function hush() { if (source) source.close(); source = null; }
  if (url && window.EventSource) {
    listen();
    // A browser allows six connections to a host without HTTP/2: tabs nobody looks at give theirs back.
    document.addEventListener('visibilitychange', function () { if (document.hidden) hush(); else if (url) listen(); });
    window.addEventListener('pagehide', hush);
    window.addEventListener('pageshow', function (e) { if (e.persisted && url) listen(); });
  }

  // Files dropped on an upload area go into its field, so the form sends them as if they had been chosen.
  $$('.drop').forEach(function (d) {
    var input = d.querySelector('input[type=file]');
    if (!input) return;
    d.addEventListener('drop', function (e) {
      if (!e.dataTransfer || !e.dataTransfer.files.length) return;
      input.files = e.dataTransfer.files;
      input.dispatchEvent(new Event('change', { bubbles: true }));
    });
  });

  // The chosen names stand below the field in the page's language; the browser's own words go.
  $$('input[type=file][data-names]').forEach(function (i) { i.classList.add('sr'); });

  document.addEventListener('change', function (e) {
    var t = e.target;
    if (t.dataset.names) {                        // name the chosen files under the area
      var box = document.querySelector(t.dataset.names);
      box.textContent = '';
      Array.prototype.forEach.call(t.files, function (f) { var li = document.createElement('li'); li.textContent = f.name; box.appendChild(li); });
    }
    if ('submit' in t.dataset && t.form) t.form.requestSubmit ? t.form.requestSubmit() : t.form.submit();
  });

  // Listening: one player at the foot for the whole list. Without script the button leads to the clip's page, which has its own.
  var player = document.getElementById('player');
  if (player) {
    var audio = document.getElementById('player-audio');
    var mark = function () {
      $$('[data-listen]').forEach(function (b) {
        var on = !player.hidden && !audio.paused && b.href && audio.dataset.src === b.dataset.listen;
        b.firstElementChild.className = on ? 'i i-pause' : 'i i-play';
      });
    };
    document.addEventListener('click', function (e) {
      var b = e.target.closest('[data-listen]');
      if (!b || e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      if (audio.dataset.src === b.dataset.listen) { if (audio.paused) audio.play(); else audio.pause(); return; }
      player.hidden = false;
      document.getElementById('player-name').textContent = b.dataset.name;
      audio.dataset.src = b.dataset.listen;
      audio.src = b.dataset.listen;
      audio.play().catch(function () { /* the controls are there for a browser that wants a press on them */ });
    });
    ['play', 'pause', 'ended'].forEach(function (n) { audio.addEventListener(n, mark); });
    document.getElementById('player-close').addEventListener('click', function () { audio.pause(); player.hidden = true; mark(); });
  }

  // Uploads go piece by piece: how far they are is shown for each file, and a connection that broke is taken up where it
  // ended, also after the page was left: the server knows a file by its name, size and date.
  var PIECE = 1 << 20;
  function Sender(form, keep) {
    var d = form.dataset, list = $('#names'), queue = [], running = false, batch = '', self = this, words = new FormData(form), failed = false;
    words.delete('file');
    if (keep) words.set('keep', 'draft');
    function say(text, s) { return text.replace('%s', s); }
    function row(file) {
      var li = document.createElement('li'), name = document.createElement('b'), note = document.createElement('span');
      var bar = document.createElement('progress'), stop = document.createElement('button');
      li.className = 'file'; li.innerHTML = '<span class="state" data-tone="info"><span class="spin"></span></span><span></span>';
      name.textContent = file.name; li.children[1].appendChild(name);
      note.className = 'muted'; note.textContent = d.tWait; li.appendChild(note);
      bar.max = 1; bar.value = 0; bar.setAttribute('aria-label', file.name); li.appendChild(bar);
      stop.type = 'button'; stop.className = 'btn quiet sm full'; stop.textContent = d.tCancel; li.appendChild(stop);
      list.appendChild(li);
      return { li: li, note: note, bar: bar, stop: stop };
    }
    function end(job, tone, icon, text) {
      job.over = true;
      job.ui.li.firstElementChild.setAttribute('data-tone', tone);
      job.ui.li.firstElementChild.innerHTML = '<i class="i ' + icon + '"></i>';
      job.ui.note.textContent = ''; job.ui.bar.remove(); job.ui.stop.remove();
      var p = document.createElement('span'); p.className = 'full hint'; p.textContent = text; job.ui.li.appendChild(p);
      if (tone === 'bad') failed = true;
      next();
    }
    // call sends one request; done gets what the server said, null where nothing came back.
    function call(method, path, body, headers, progress, done) {
      var x = new XMLHttpRequest();
      x.open(method, path);
      Object.keys(headers || {}).forEach(function (k) { x.setRequestHeader(k, headers[k]); });
      x.timeout = 150000;
      if (progress) x.upload.onprogress = progress;
      x.onload = function () {
        var said = null;
        try { said = JSON.parse(x.responseText); } catch (e) { if (x.status < 500) { done({ ok: false, text: d.tLogin, final: true }); return; } }
        if (said && !said.ok && x.status !== 409 && x.status < 500) said.final = true;
        if (said) said.status = x.status;
        done(said);
      };
      x.onerror = x.ontimeout = function () { done(null); };
      x.onabort = function () {};
      x.send(body);
      return x;
    }
    function pause(job, then) {                       // after 1, 2, 4 … 30 s, and at once when the network is back
      job.tries = Math.min((job.tries || 0) + 1, 6);
      var wait = Math.min(30, Math.pow(2, job.tries - 1)), go = function () { clearTimeout(t); window.removeEventListener('online', go); if (!job.over) then(); };
      job.ui.note.textContent = say(d.tAgain, wait);
      var t = setTimeout(go, wait * 1000);
      window.addEventListener('online', go);
    }
    function begin(job) {
      var f = job.file, q = new URLSearchParams({ file: f.name, size: String(f.size), mark: String(f.lastModified || '') });
      call('POST', d.upload, q, null, null, function (said) {
        if (job.over) return;
        if (!said) { pause(job, function () { begin(job); }); return; }
        if (!said.ok) { end(job, 'bad', 'i-cross', said.text); return; }
        job.id = said.id; job.have = said.have; job.since = Date.now(); job.from = said.have;
        piece(job);
      });
    }
    function ask(job) {                               // how far is it
      call('GET', d.upload + '/' + job.id, null, null, null, function (said) {
        if (job.over) return;
        if (said && said.ok) { job.have = said.have; piece(job); return; }
        if (said && said.status === 404) { begin(job); return; }
        if (said && said.final) { end(job, 'bad', 'i-cross', said.text); return; }
        pause(job, function () { ask(job); });
      });
    }
    function shown(job, have) {
      var share = have / job.file.size, s = (Date.now() - job.since) / 1000, rate = (have - job.from) / Math.max(s, .1);
      job.ui.bar.value = share;
      job.ui.note.textContent = d.tLeft.replace('%p', Math.floor(share * 100) + '%').replace('%s', rate > 0 ? Math.ceil((job.file.size - have) / rate) : '…');
    }
    function piece(job) {
      shown(job, job.have);
      if (job.have >= job.file.size) { finish(job); return; }
      var at = job.have;
      job.x = call('PATCH', d.upload + '/' + job.id, job.file.slice(at, at + PIECE), { 'Upload-Offset': String(at), 'Content-Type': 'application/offset+octet-stream' },
        function (p) { shown(job, at + Math.min(p.loaded, PIECE)); },
        function (said) {
          if (job.over) return;
          if (said && said.ok) { job.have = said.have; job.tries = 0; piece(job); return; }
          if (said && said.status === 422 && said.have > at) { ask(job); return; }
          if (said && said.final) { end(job, 'bad', 'i-cross', said.text); return; }
          pause(job, function () { ask(job); });
        });
    }
    function finish(job) {
      var q = new URLSearchParams();
      words.forEach(function (v, k) { q.set(k, v); });
      if (batch) q.set('batch', batch);
      ['title', 'name', 'text', 'spoken'].forEach(function (k) { words.delete(k); });   // they belong to the first file
      job.ui.note.textContent = d.tCheck; job.ui.bar.removeAttribute('value'); job.ui.stop.hidden = true;
      var x = call('POST', d.upload + '/' + job.id + '/finish', q, null, null, function (said) {
        if (!said) { pause(job, function () { ask(job); }); return; }
        if (said.batch) batch = said.batch;
        if (said.ok) end(job, 'ok', 'i-check', d.tTaken); else end(job, 'bad', 'i-cross', said.text);
      });
      x.timeout = 600000;
    }
    function next() {
      var job = queue.shift();
      running = !!job;
      if (job) { begin(job); return; }
      if (batch) { location.href = '/clips?upload=' + encodeURIComponent(batch); return; }   // it names every file
      $$('[type=submit]', form).forEach(function (b) { b.removeAttribute('aria-busy'); });
    }
    self.add = function (files) {
      Array.prototype.forEach.call(files, function (f) {
        var job = { file: f, ui: row(f), have: 0 };
        job.ui.stop.onclick = function () {
          if (job.x) job.x.abort();
          if (job.id) call('DELETE', d.upload + '/' + job.id, null, null, null, function () {});
          var waiting = queue.indexOf(job);
          if (waiting >= 0) queue.splice(waiting, 1);
          job.over = true; job.ui.bar.remove(); job.ui.stop.remove(); job.ui.note.textContent = d.tCancelled;
          job.ui.li.firstElementChild.innerHTML = '<i class="i i-cross"></i>';
          if (waiting < 0) next();
        };
        queue.push(job);
      });
      if (!running) next();
    };
  }
  document.addEventListener('submit', function (e) {
    var f = e.target;
    if (!f.dataset.upload || e.defaultPrevented || !window.FormData || !window.URLSearchParams) return;
    var input = f.querySelector('input[type=file]'), b = e.submitter || f.querySelector('[type=submit]');
    if (!input.files.length) return;
    e.preventDefault();
    if (b.getAttribute('aria-busy') === 'true') return;
    b.setAttribute('aria-busy', 'true');
    $('#names').textContent = '';
    new Sender(f, /keep=draft/.test(b.getAttribute('formaction') || '')).add(input.files);
  });

  // A part of a recording: dragging over the waveform fills in the times, typing them moves the mark, listening stays on the page.
  $$('[data-reel]').forEach(function (svg) {
    var from = $(svg.dataset.from), to = $(svg.dataset.to), mark = svg.querySelector('.chosen'), length = Number(svg.dataset.reel), out = $('#cut-length'), start = null;
    if (!from) return;
    function clock(s) { s = Math.round(s); var m = Math.floor(s / 60), h = Math.floor(m / 60); return (h ? h + ':' + ('0' + m % 60).slice(-2) : m) + ':' + ('0' + s % 60).slice(-2); }
    function read(i) { return i.value.replace(/：/g, ':').split(':').reduce(function (a, p) { return a * 60 + Number(p); }, 0); }
    function show() {
      var a = read(from), b = Math.min(read(to), length);
      if (!(b > a)) { mark.setAttribute('width', 0); return; }
      mark.setAttribute('x', a * 800 / length); mark.setAttribute('width', (b - a) * 800 / length);
      out.textContent = out.dataset.t.replace('%m', Math.floor((b - a) / 60)).replace('%s', Math.round(b - a) % 60);
    }
    function at(e) { var r = svg.getBoundingClientRect(); return Math.max(0, Math.min(1, (e.clientX - r.left) / r.width)) * length; }
    svg.addEventListener('pointerdown', function (e) { start = at(e); svg.setPointerCapture(e.pointerId); });
    svg.addEventListener('pointermove', function (e) {
      if (start === null) return;
      var b = at(e);
      from.value = clock(Math.min(start, b)); to.value = clock(Math.max(start, b)); show();
    });
    svg.addEventListener('pointerup', function () { start = null; });
    svg.addEventListener('pointercancel', function () { start = null; });
    [from, to].forEach(function (i) { i.addEventListener('input', show); });
  });
  document.addEventListener('click', function (e) {
    var b = e.target.closest('[data-hear]');
    if (!b) return;
    var audio = $(b.dataset.hear), f = b.form;
    e.preventDefault();
    audio.src = audio.dataset.base + '?from=' + encodeURIComponent(f.elements.from.value) + '&to=' + encodeURIComponent(f.elements.to.value);
    audio.play().catch(function () { /* the controls are there for a browser that wants a press on them */ });
  });

  // One submission at a time: the second click of a slow upload does nothing.
  document.addEventListener('submit', function (e) {
    var b = e.submitter || e.target.querySelector('[type=submit]');
    if (e.target.method.toLowerCase() !== 'post' || !b || 'upload' in e.target.dataset || (e.submitter && e.submitter.formMethod === 'get')) return;
    if (b.getAttribute('aria-busy') === 'true') { e.preventDefault(); return; }
    b.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', function () { $$('[aria-busy=true]').forEach(function (b) { b.removeAttribute('aria-busy'); }); });
})();
