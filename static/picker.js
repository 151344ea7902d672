// Chooses a point or a box on the map and writes it into the search form.
(() => {
  const element = document.getElementById("picker");
  const form = document.getElementById("filters");
  if (!element || !window.L) return;
  const near = document.getElementById("id_near");
  const box = document.getElementById("id_box");
  const within = document.getElementById("id_within");
  const panel = element.closest("details");
  let map, circle;

  const point = () => {
    const [longitude, latitude] = near.value.split(",").map(Number);
    return Number.isFinite(longitude) && Number.isFinite(latitude) && near.value ? [latitude, longitude] : null;
  };
  const submit = () => form.dispatchEvent(new Event("picked"));

  function showPoint() {
    if (circle) circle.remove();
    circle = point() && L.circle(point(), { radius: Number(within.value) || 250, color: ntl.colour("accent"), weight: 1.5, fillOpacity: 0.1 }).addTo(map);
  }
  function start() {
    if (map) return;
    map = ntl.newMap(element).setView([0, 0], 2);
    fetch(`${element.dataset.layers}?layer=zones`).then((answer) => answer.json()).then((zones) => {
      const drawn = L.geoJSON(zones, { style: { color: ntl.colour("dim"), weight: 1, fillOpacity: 0.04 } })
        .bindTooltip((zone) => ntl.textNode("span", zone.feature.properties.name), { sticky: true }).addTo(map);
      const west = box.value && box.value.split(",").map(Number);
      if (west) map.fitBounds([[west[1], west[0]], [west[3], west[2]]]);
      else if (circle) map.fitBounds(circle.getBounds(), { padding: [12, 12] });
      else if (drawn.getBounds().isValid()) map.fitBounds(drawn.getBounds());
    });
    map.on("click", (event) => {
      near.value = `${event.latlng.lng.toFixed(6)},${event.latlng.lat.toFixed(6)}`;
      box.value = "";
      showPoint();
      submit();
    });
    showPoint();
  }
  panel.addEventListener("toggle", () => panel.open && start());
  if (panel.open) start();
  within.addEventListener("change", () => map && showPoint());
  near.addEventListener("change", () => map && showPoint());
  document.getElementById("use-box").addEventListener("click", () => {
    box.value = map.getBounds().toBBoxString().split(",").map((degree) => Number(degree).toFixed(6)).join(",");
    near.value = "";
    showPoint();
    submit();
  });
  document.getElementById("clear-place").addEventListener("click", () => {
    near.value = box.value = "";
    if (map) showPoint();
    submit();
  });
})();
