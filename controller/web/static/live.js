// Gatecast: live cards, dropped files, and the forms that answer on their own. Loaded after ui.js; every page works without it.
(function () {
  'use strict';
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

  // Uploads tell how far they are. The answer is a redirect to the page that names every file.
  document.addEventListener('submit', function (e) {
    var f = e.target;
    if (!('upload' in f.dataset) || e.defaultPrevented || !window.FormData) return;
    e.preventDefault();
    var button = f.querySelector('[type=submit]'), bar = document.createElement('progress'), names = document.getElementById('names');
    if (button.getAttribute('aria-busy') === 'true') return;
    button.setAttribute('aria-busy', 'true');
    bar.max = 1; bar.setAttribute('aria-label', button.textContent);
    names.appendChild(document.createElement('li')).appendChild(bar);
    var x = new XMLHttpRequest();
    var to = e.submitter && e.submitter.formAction || f.action;
    x.open('POST', to);
    x.upload.onprogress = function (p) { if (p.lengthComputable) bar.value = p.loaded / p.total; };
    x.onload = function () {
      if (x.responseURL && x.status < 400) { location.href = x.responseURL; return; }
      document.open(); document.write(x.responseText); document.close();      // the server's own error page
    };
    x.onerror = function () { button.removeAttribute('aria-busy'); bar.parentNode.remove(); f.action = to; f.submit(); };
    x.send(new FormData(f));
  });

  // One submission at a time: the second click of a slow upload does nothing.
  document.addEventListener('submit', function (e) {
    var b = e.submitter || e.target.querySelector('[type=submit]');
    if (e.target.method.toLowerCase() !== 'post' || !b || 'upload' in e.target.dataset) return;
    if (b.getAttribute('aria-busy') === 'true') { e.preventDefault(); return; }
    b.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', function () { $$('[aria-busy=true]').forEach(function (b) { b.removeAttribute('aria-busy'); }); });
})();
