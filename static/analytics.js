// ROC, precision and recall, calibration: each a line in a unit square, beside the line that knows nothing.
(() => {
  const source = document.getElementById("analytics-data");
  if (!source || !window.echarts) return;
  const data = JSON.parse(source.textContent);
  const { words, prevalence } = data;
  const reference = {
    roc: [words.chance, [[0, 0], [1, 1]]],
    precision_recall: [words.chance, prevalence === null ? [] : [[0, prevalence], [1, prevalence]]],
    calibration: [words.perfect, [[0, 0], [1, 1]]],
  };
  const charts = [...document.querySelectorAll("[data-chart]")].map((element) => [element.dataset.chart, echarts.init(element, null, { renderer: "svg" })]);
  const percent = (value) => `${Math.round(100 * value)} %`;

  function option(name) {
    const c = ntl.colour;
    const text = { color: c("dim"), fontSize: 11 };
    const axis = { type: "value", min: 0, max: 1, interval: 0.25, axisLabel: { ...text, formatter: percent }, axisLine: { lineStyle: { color: c("line-strong") } }, splitLine: { lineStyle: { color: c("line") } } };
    const [word, line] = reference[name];
    return {
      animation: false, aria: { enabled: false }, textStyle: { fontFamily: "inherit" },
      grid: { left: 46, right: 18, top: 14, bottom: 28 }, xAxis: axis, yAxis: axis,
      tooltip: { trigger: "axis", confine: true, backgroundColor: c("raised"), borderColor: c("line-strong"), textStyle: { color: c("ink"), fontSize: 12 }, padding: [4, 8],
        formatter: (points) => { const own = points.find((point) => point.seriesName === words.own); return own ? `${percent(own.value[0])} → <b>${percent(own.value[1])}</b>` : ""; } },
      series: [
        { name: word, type: "line", data: line, symbol: "none", silent: true, lineStyle: { width: 1, type: "dashed", color: c("dim") } },
        { name: words.own, type: "line", data: data[name], symbol: name === "calibration" ? "circle" : "none", symbolSize: 7, itemStyle: { color: c("accent") }, lineStyle: { width: 2, color: c("accent") },
          areaStyle: name === "calibration" ? undefined : { color: c("accent", 0.08) } },
      ],
    };
  }
  const draw = () => charts.forEach(([name, chart]) => chart.setOption(option(name), true));
  draw();
  document.addEventListener("theme:changed", draw);
  charts.forEach(([, chart]) => new ResizeObserver(() => chart.resize()).observe(chart.getDom()));
})();
