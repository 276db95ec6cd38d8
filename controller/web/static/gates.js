// Gatecast: the sum of the gates that are chosen on a form.
(function () {
  'use strict';
  document.querySelectorAll('form[data-gates]').forEach(function (f) {
    var out = f.querySelector('[data-gates-sum]');
    function sum() {
      var all = f.querySelector('[name=scope]:checked'), n = 0;
      if (all) n = Number(all.dataset.count);
      else f.querySelectorAll('[name=unit]:checked').forEach(function (u) { n += Number(u.dataset.count); });
      out.textContent = n ? out.dataset.gatesSum.replace('{n}', n) : '';
    }
    f.addEventListener('change', sum);
    sum();
  });
})();
