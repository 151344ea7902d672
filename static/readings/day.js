// The example day as a bar for each interval; drawn again when htmx brings another day.
(() => {
  const clock = (minutes) =>
    `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

  function draw() {
    const place = document.querySelector("[data-day]");
    if (!place || !window.echarts) return;
    const day = JSON.parse(document.getElementById(place.dataset.day).textContent);
    const [accent, dim, line] = ["accent", "dim", "line"].map((name) => ntl.colour(name));
    const chart = echarts.init(place, null, { renderer: "svg" });
    chart.setOption({
      animation: false,
      grid: { left: 44, right: 8, top: 30, bottom: 24 },
      tooltip: {
        trigger: "axis",
        valueFormatter: (value) => (value === null || value === undefined ? "–" : `${value.toFixed(3)} kWh`),
      },
      xAxis: {
        type: "category",
        data: day.kwh.map((_value, slot) => clock(slot * day.interval_minutes)),
        axisLabel: { color: dim, hideOverlap: true, interval: Math.max(Math.round(day.kwh.length / 8) - 1, 0) },
        axisLine: { lineStyle: { color: line } },
        axisTick: { show: false },
      },
      yAxis: {
        type: "value",
        name: "kWh",
        nameTextStyle: { color: dim, align: "right" },
        axisLabel: { color: dim },
        splitLine: { lineStyle: { color: line } },
      },
      series: [{ type: "bar", data: day.kwh, itemStyle: { color: accent }, barCategoryGap: "15%" }],
    });
    new ResizeObserver(() => chart.resize()).observe(place);
  }

  draw();
  document.addEventListener("htmx:afterSwap", draw);
})();
