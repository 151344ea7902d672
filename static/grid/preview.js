// The geometry of a file of reference data: new, changed, left alone. Drawn anew when the preview is.
(() => {
  let map = null;
  function show() {
    const element = document.querySelector("[data-shapes]");
    if (map) map.remove();
    map = null;
    if (!element || !window.L) return;
    const data = JSON.parse(document.getElementById(element.dataset.shapes).textContent);
    map = ntl.newMap(element, { scrollWheelZoom: false });
    const colours = { create: ntl.colour("good"), change: ntl.colour("accent"), same: ntl.colour("unscored") };
    const layer = L.geoJSON(data, {
      style: (feature) => ({ color: colours[feature.properties.state], weight: 2, fillOpacity: 0.08 }),
      pointToLayer: (feature, at) => L.circleMarker(at, {
        radius: 3.5, weight: 1.5, color: colours[feature.properties.state], fillColor: colours[feature.properties.state],
        fillOpacity: feature.properties.state === "same" ? 0 : 0.7,
      }),
      onEachFeature: (feature, one) => one.bindTooltip(ntl.textNode("span", feature.properties.name)),
    }).addTo(map);
    map.fitBounds(layer.getBounds(), { padding: [20, 20], maxZoom: 16 });
  }
  show();
  document.addEventListener("htmx:afterSwap", show);
  document.addEventListener("theme:changed", show);
})();
