// The mean day before the change and the one since, hour by hour; what lies between the two lines is missing.
(() => {
  const element = document.getElementById("mean-days");
  if (!element || !window.echarts) return;
  const { mean_days: days, words } = JSON.parse(document.getElementById("curve-data").textContent);
  const chart = echarts.init(element, null, { renderer: "svg" });
  const hour = (index) => `${String(index).padStart(2, "0")}:00`;
  const kwh = (value) => (value === null || value === undefined ? "–" : `${value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 2 })} kWh`);

  function draw() {
    const c = ntl.colour;
    const text = { color: c("dim"), fontSize: 11 };
    const line = (name, data, colour, more = {}) => ({ name, type: "line", data, symbol: "none", step: "end", itemStyle: { color: colour }, lineStyle: { width: 2, color: colour, ...more } });
    chart.setOption({
      animation: false, aria: { enabled: false }, textStyle: { fontFamily: "inherit" },
      grid: { left: 44, right: 14, top: 30, bottom: 26 },
      legend: { top: 0, right: 10, icon: "rect", itemWidth: 14, itemHeight: 3, textStyle: text },
      tooltip: { trigger: "axis", confine: true, backgroundColor: c("raised"), borderColor: c("line-strong"), textStyle: { color: c("ink"), fontSize: 12 }, padding: [4, 8], valueFormatter: kwh },
      xAxis: { type: "category", boundaryGap: false, data: days.before.map((_value, index) => hour(index)), axisTick: { show: false }, axisLine: { lineStyle: { color: c("line-strong") } }, axisLabel: { ...text, interval: 5 } },
      yAxis: { type: "value", splitNumber: 3, axisLabel: text, splitLine: { lineStyle: { color: c("line") } }, name: "kWh / h", nameTextStyle: { ...text, align: "right" }, nameGap: 8 },
      series: [line(words.before, days.before, c("dim"), { type: "dashed" }), line(words.since, days.since, c("accent"))],
    }, true);
  }
  draw();
  document.addEventListener("theme:changed", draw);
  new ResizeObserver(() => chart.resize()).observe(element);
})();
