// Risk levels on a canvas map: a colour and a shape each, the same as beside the words.
window.ntl = window.ntl || {};
(() => {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);

  // A colour of base.css as the canvas needs it, in the theme that is on.
  ntl.colour = (name, alpha = 1) => {
    probe.style.color = `var(--${name})`;
    const [red, green, blue] = getComputedStyle(probe).color.match(/[\d.]+/g);
    return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  };
  if (!window.L) return;

  const draw = {
    critical: (ctx, { x, y }, r) => { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); },
    high: (ctx, { x, y }, r) => { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y + 0.8 * r); ctx.lineTo(x - r, y + 0.8 * r); },
    medium: (ctx, { x, y }, r) => ctx.rect(x - 0.8 * r, y - 0.8 * r, 1.6 * r, 1.6 * r),
    transformer: (ctx, { x, y }, r) => ctx.rect(x - r, y - r, 2 * r, 2 * r),
  };
  const sizes = { critical: 8, high: 7, medium: 5.5, low: 4, unscored: 3 };

  const Marker = L.CircleMarker.extend({
    _updatePath() {
      const shape = draw[this.options.shape];
      if (!shape) return L.CircleMarker.prototype._updatePath.call(this);
      const renderer = this._renderer;
      if (!renderer._drawing || this._empty()) return;
      renderer._ctx.beginPath();
      shape(renderer._ctx, this._point, this._radius);
      renderer._ctx.closePath();
      renderer._fillStroke(renderer._ctx, this);
    },
  });

  const filled = new Set(["critical", "high", "medium"]);
  ntl.levelMarker = (latlng, level, more = {}) => new Marker(latlng, {
    shape: level, radius: sizes[level] || 4, weight: filled.has(level) ? 1 : 1.5,
    color: filled.has(level) ? ntl.colour("panel") : ntl.colour(level), fillColor: ntl.colour(level),
    fillOpacity: filled.has(level) ? 1 : 0.15, ...more,
  });
  ntl.transformerMarker = (latlng, more = {}) => new Marker(latlng, {
    shape: "transformer", radius: 5, weight: 1.5, color: ntl.colour("ink"), fillColor: ntl.colour("panel"), fillOpacity: 1, ...more,
  });
  ntl.latlng = (point) => [point.coordinates[1], point.coordinates[0]];
  ntl.newMap = (element, options = {}) => {
    const map = L.map(element, { preferCanvas: true, attributionControl: false, zoomSnap: 0.5, ...options });
    if (element.dataset.tiles) L.tileLayer(element.dataset.tiles).addTo(map);
    L.control.scale({ imperial: false }).addTo(map);
    return map;
  };
  // Text from the database goes into the page as text.
  ntl.textNode = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
})();
