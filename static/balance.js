// Day by day: what the meters reported, the technical loss on top, and what is left of what was delivered.
(() => {
  const element = document.getElementById("balance-days");
  if (!element || !window.echarts) return;
  const data = JSON.parse(document.getElementById("balance-data").textContent);
  const language = document.documentElement.lang;
  const first = new Date(`${data.first_day}T00:00:00Z`);
  const month = new Intl.DateTimeFormat(language, { month: "short", timeZone: "UTC" });
  const worded = (index) => {
    const day = new Date(first.getTime() + index * 86400000);
    return `${day.getUTCDate()} ${month.format(day)} ${day.getUTCFullYear()}`;
  };
  const chart = echarts.init(element, null, { renderer: "canvas" });
  const kwh = (value) => (value === null || value === undefined ? "–" : `${value.toLocaleString(language, { maximumFractionDigits: 1 })} kWh`);
  const rest = data.delivered.map((value, day) => (value === null || data.reported[day] === null ? null : Math.round(10 * (value - data.reported[day] - (data.expected_loss[day] || 0))) / 10));

  function draw() {
    const c = ntl.colour;
    const text = { color: c("dim"), fontSize: 11 };
    const area = (name, values, colour) => ({ name, type: "line", stack: "delivered", data: values, symbol: "none", lineStyle: { width: 0 }, itemStyle: { color: colour }, areaStyle: { color: colour, opacity: 1 } });
    chart.setOption({
      animation: false, aria: { enabled: false }, textStyle: { fontFamily: "inherit" },
      grid: { left: 52, right: 14, top: 34, bottom: 58 },
      legend: { top: 0, left: 8, icon: "rect", itemWidth: 12, itemHeight: 8, textStyle: text },
      tooltip: { trigger: "axis", confine: true, backgroundColor: c("raised"), borderColor: c("line-strong"), textStyle: { color: c("ink"), fontSize: 12 }, padding: [4, 8],
        formatter: ([{ dataIndex: day }]) => `${worded(day)}<br>${data.words.delivered} <b>${kwh(data.delivered[day])}</b><br>${data.words.reported} ${kwh(data.reported[day])}<br>${data.words.loss} ${kwh(data.expected_loss[day])}<br>${data.words.unexplained} <b>${kwh(rest[day])}</b>` },
      xAxis: { type: "category", boundaryGap: false, data: data.delivered.map((_value, day) => day), axisTick: { show: false }, axisLine: { lineStyle: { color: c("line-strong") } }, axisLabel: { ...text, hideOverlap: true, formatter: (day) => worded(+day).replace(/ \d+$/, "") } },
      yAxis: { type: "value", splitNumber: 3, axisLabel: text, splitLine: { lineStyle: { color: c("line") } }, name: "kWh / d", nameTextStyle: { ...text, align: "right" }, nameGap: 8 },
      dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }, { type: "slider", bottom: 8, height: 18, showDataShadow: false, brushSelect: false, borderColor: c("line"), fillerColor: c("accent", 0.12), handleStyle: { color: c("panel"), borderColor: c("dim") }, moveHandleSize: 0, textStyle: { color: c("dim"), fontSize: 10 }, labelFormatter: (day) => worded(+day) }],
      series: [
        area(data.words.reported, data.reported, c("accent", 0.55)),
        area(data.words.loss, data.expected_loss, c("dim", 0.5)),
        area(data.words.unexplained, rest.map((value) => (value === null ? null : Math.max(0, value))), c("high", 0.85)),
      ],
    }, true);
  }
  draw();
  document.addEventListener("theme:changed", draw);
  new ResizeObserver(() => chart.resize()).observe(element);
})();
