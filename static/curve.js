// The load profile and, on the same days below it, the hours of the day: one time axis, so a change lines up in both.
(() => {
  const element = document.getElementById("curve");
  if (!element || !window.echarts) return;
  const data = JSON.parse(document.getElementById("curve-data").textContent);
  const words = data.words;
  const language = document.documentElement.lang;
  const first = new Date(`${data.first_day}T00:00:00Z`);
  const dayOf = (index) => new Date(first.getTime() + index * 86400000);
  const indexOf = (iso) => Math.round((new Date(`${iso}T00:00:00Z`) - first) / 86400000);
  // The pages write "16 Sep 2026": no other order, and not the "Sept" of British browsers.
  const month = new Intl.DateTimeFormat(language, { month: "short", timeZone: "UTC" });
  const short = { format: (day) => `${day.getUTCDate()} ${month.format(day)}` };
  const worded = { format: (day) => `${short.format(day)} ${day.getUTCFullYear()}` };
  const count = data.daily.length;
  const days = data.daily.map((_, index) => index);
  const chart = echarts.init(element, null, { renderer: "canvas" });
  let mode = "days";
  let sight = [0, count - 1]; // first and last day that are shown
  // An address may name a day: what led here was caught on it.
  const asked = new URLSearchParams(location.search).get("day");
  const askedDay = /^\d{4}-\d{2}-\d{2}$/.test(asked || "") ? indexOf(asked) : -1;
  const DAYS_AROUND_CHANGE = 14; // before and after, at first: half a year by the hour is a carpet

  if (askedDay >= 0 && askedDay < count) sight = [Math.max(0, askedDay - DAYS_AROUND_CHANGE), Math.min(count - 1, askedDay + DAYS_AROUND_CHANGE)];

  const number = (value) => value.toLocaleString(language, { maximumFractionDigits: 1 });

  function gaps() {
    const runs = [];
    data.daily.forEach((value, index) => {
      if (value !== null) return;
      const last = runs.at(-1);
      if (last && last[1] === index - 1) last[1] = index;
      else runs.push([index, index]);
    });
    return runs;
  }
  // A bar of a part of a day is not as high as its day was: it is drawn as a part, and named as one.
  const incomplete = new Map(data.incomplete.map(([day, came, whole]) => [day, words.of_hours.replace("{came}", number(came)).replace("{whole}", number(whole))]));
  const kwh = (value) => `${number(value)} kWh`;

  // What lies at some places of an axis only, as a value for each of its places: a line breaks in between.
  function onAxis(points, length) {
    const all = new Array(length).fill(null);
    for (const [at, value] of points) all[at] = value;
    return all;
  }
  // What the sender estimated, by places of hours (of days where there are no hours) and summed by days. A day for which
  // our own estimate stands in is flagged too: there what was sent is shown as it was.
  const perDay = data.hourly ? 24 : 1;
  const ours = new Set(data.hourly
    ? data.estimated_hours.map(([day, hour]) => indexOf(day) * 24 + hour)
    : data.estimated_days.map(([day]) => indexOf(day)));
  const senders = new Map(data.made_up.filter(([place]) => !ours.has(place)));
  const sendersByDay = new Map();
  senders.forEach((value, place) => {
    const day = Math.floor(place / perDay);
    sendersByDay.set(day, (sendersByDay.get(day) || 0) + value);
  });

  const spanned = (hit) => `${short.format(dayOf(indexOf(hit.first_day)))}${hit.last_day === hit.first_day ? "" : ` – ${short.format(dayOf(indexOf(hit.last_day)))}`}: ${hit.text}`;

  function heat() {
    const cells = [];
    data.hourly.forEach((hours, day) => hours.forEach((value, hour) => { if (value !== null) cells.push([day, hour, value]); }));
    const sorted = cells.map((cell) => cell[2]).sort((a, b) => a - b);
    return { cells, top: sorted[Math.floor(0.98 * (sorted.length - 1))] || 1 };
  }
  const heatmap = data.hourly ? heat() : null;

  function option() {
    const c = ntl.colour;
    const dark = document.documentElement.dataset.bsTheme === "dark";
    const hours = mode === "hours";
    const scale = hours ? 24 : 1;
    const values = hours ? data.hourly.flat() : data.daily;
    const measured = values.map((value, place) => (hours ? (senders.has(place) ? null : value)
      : sendersByDay.has(place) ? Math.max(0, value - sendersByDay.get(place)) : value));
    const axisText = { color: c("dim"), fontSize: 11 };
    const label = { ...axisText, formatter: (index) => short.format(dayOf(Math.floor(index / scale))), hideOverlap: true };
    const heatLabel = { ...axisText, formatter: (index) => short.format(dayOf(+index)), hideOverlap: true };
    const onset = data.onset === null ? -1 : indexOf(data.onset);
    // [first day, last day, colour, whether it covers the height or only underlines]
    const bands = gaps().map(([from, to]) => [from, to, c("line", 0.9), true]);
    if (onset >= 0 && onset < count) bands.unshift([onset, count - 1, c("high", 0.1), true]);
    for (const span of data.spans) bands.push([Math.max(0, indexOf(span.first_day)), Math.min(count - 1, indexOf(span.last_day)), c("critical"), false]);
    const part = { color: c("accent", 0.3), borderColor: c("accent"), borderWidth: 1 };
    const bar = (value, day) => (incomplete.has(day) ? { value, itemStyle: part } : value);
    const top = Math.max(...values.filter((value) => value !== null), ...(data.band && !hours ? data.band[2].map((v) => v || 0) : [0]));
    const exported = hours ? null : data.exported;
    const foot = exported ? -Math.ceil(Math.max(...exported) * 11) / 10 : 0;
    const series = [{
      name: "own", type: hours ? "line" : "bar", data: hours ? measured : measured.map(bar), stack: "own", xAxisIndex: 0, yAxisIndex: 0, barCategoryGap: count > 120 ? "10%" : "25%",
      itemStyle: { color: c("accent") }, lineStyle: { width: 1, color: c("accent") }, symbol: "none", sampling: hours ? "minmax" : undefined, z: 2,
    }];
    if (senders.size) series.push(hours
      ? { type: "line", name: "sender", xAxisIndex: 0, yAxisIndex: 0, data: onAxis(senders, values.length), symbolSize: 3, itemStyle: { color: c("accent") }, lineStyle: { color: c("accent"), width: 1, type: "dashed" }, z: 2 }
      : { type: "bar", name: "sender", xAxisIndex: 0, yAxisIndex: 0, data: onAxis(sendersByDay, count), stack: "own",
        itemStyle: { color: c("accent", 0.08), borderColor: c("accent"), borderType: "dashed", borderWidth: 1 }, z: 2 });
    if (exported) series.push({ type: "bar", name: "exported", xAxisIndex: 0, yAxisIndex: 0, stack: "own", itemStyle: { color: c("good") }, z: 2,
      data: exported.map((value) => (value === null ? null : -value)) });
    if (data.band && !hours) {
      const [low, middle, high] = data.band;
      const line = { type: "line", symbol: "none", lineStyle: { width: 0 }, xAxisIndex: 0, yAxisIndex: 0, silent: true, stack: "band", z: 3 };
      series.push({ ...line, name: "low", data: low });
      series.push({ ...line, name: "band", data: high.map((value, index) => (value === null ? null : value - low[index])), areaStyle: { color: c("ink", dark ? 0.22 : 0.16) } });
      series.push({ ...line, name: words.median, stack: undefined, data: middle, lineStyle: { width: 1, color: c("ink", 0.55) }, z: 4 });
    }
    series.push({
      type: "custom", name: "bands", xAxisIndex: 0, yAxisIndex: 0, silent: true, z: 1, encode: { x: [0, 1] },
      data: bands.map(([from, to], index) => [from * scale, (to + 1) * scale - 1, index]),
      renderItem(params, api) {
        const [, , colour, whole] = bands[api.value(2)];
        const { x: left, y, width, height } = params.coordSys;
        const half = api.size([1, 0])[0] / 2;
        const x = Math.max(left, api.coord([api.value(0), 0])[0] - half);
        const right = Math.min(left + width, api.coord([api.value(1), 0])[0] + half);
        // Room is left for the underline between the two charts, so that it covers no reading.
        return right > x && { type: "rect", style: { fill: colour },
          shape: whole ? { x, y, width: right - x, height } : { x, y: y + height + 1, width: right - x, height: 3 } };
      },
    });
    if (onset >= 0 && onset < count) series.push({
      type: "custom", name: "onset", xAxisIndex: 0, yAxisIndex: 0, silent: true, z: 5, encode: { x: [0] }, data: [[onset * scale]],
      // Where the day begins, down through both charts; a markLine would stand in the middle of its day.
      renderItem({ coordSys: { x: left, y, width, height } }, api) {
        const x = api.coord([api.value(0), 0])[0] - api.size([1, 0])[0] / 2;
        if (x < left - 1 || x > left + width) return null;
        const ground = heatmap ? chart.getHeight() - 58 : y + height;
        const text = `${words.onset} ${short.format(dayOf(onset))}`;
        return { type: "group", children: [
          { type: "line", shape: { x1: x, y1: y, x2: x, y2: ground }, style: { stroke: c("high"), lineWidth: 1.5 } },
          { type: "text", style: { text, x: Math.min(Math.max(x, left + 36), left + width - 36), y: y - 4, align: "center", verticalAlign: "bottom", fill: c("ink"), fontSize: 11 } },
        ] };
      },
    });
    // What rules caught, below the underline of the days that drove the score.
    series.push({
      type: "custom", name: "hits", xAxisIndex: 0, yAxisIndex: 0, z: 1, encode: { x: [0, 1] },
      data: data.hits.map((hit) => ({ value: [indexOf(hit.first_day) * scale, (indexOf(hit.last_day) + 1) * scale - 1], text: spanned(hit) })),
      renderItem(params, api) {
        const { x: left, y, width, height } = params.coordSys;
        const half = api.size([1, 0])[0] / 2;
        const x = Math.max(left, api.coord([api.value(0), 0])[0] - half);
        const right = Math.min(left + width, api.coord([api.value(1), 0])[0] + half);
        return right > x && { type: "rect", style: { fill: c("medium") }, shape: { x, y: y + height + 5, width: Math.max(2, right - x), height: 4 } };
      },
    });
    const estimated = hours
      ? data.estimated_hours.map(([day, hour, value]) => [indexOf(day) * 24 + hour, value])
      : data.estimated_days.map(([day, value, standsIn]) => [indexOf(day), value, standsIn]).filter(([index, , standsIn]) => standsIn || data.daily[index] === null || incomplete.has(index));
    if (estimated.length) series.push(hours
      ? { type: "line", name: "estimated", xAxisIndex: 0, yAxisIndex: 0, data: onAxis(estimated, values.length), symbolSize: 3, showAllSymbol: true, itemStyle: { color: c("ink", 0.7) }, lineStyle: { color: c("ink", 0.7), width: 1, type: "dashed" }, z: 3 }
      : { type: "bar", name: "estimated", xAxisIndex: 0, yAxisIndex: 0, data: estimated, barGap: "-100%", barCategoryGap: count > 120 ? "10%" : "25%",
        itemStyle: { color: "transparent", borderColor: c("ink", 0.7), borderType: "dashed", borderWidth: 1 }, z: 2 });
    const shapes = { contract: "rect", meter: "roundRect", event: "triangle", visit: "diamond" };
    series.push({
      type: "scatter", name: "marks", xAxisIndex: 0, yAxisIndex: 0, z: 6, symbolSize: 9, itemStyle: { color: c("ink"), borderColor: c("panel"), borderWidth: 1 },
      data: data.marks.map((mark) => ({ value: [indexOf(mark.day) * scale, top * 1.06], symbol: shapes[mark.sort], text: `${worded.format(dayOf(indexOf(mark.day)))}: ${mark.text}` }))
        .filter((mark) => mark.value[0] >= 0 && mark.value[0] < count * scale),
    });
    const axis = { type: "category", axisTick: { show: false }, axisLine: { onZero: Boolean(heatmap), lineStyle: { color: c("line-strong") } } };
    const grids = [{ left: 44, right: 14, top: 22, height: heatmap ? "42%" : undefined, bottom: heatmap ? undefined : 58 }];
    const xs = [{ ...axis, gridIndex: 0, data: hours ? values.map((_, index) => index) : days, axisLabel: { ...label, show: !heatmap, margin: 10 } }];
    const ys = [{ gridIndex: 0, min: foot, max: Math.ceil(top * 1.1 * 10) / 10 || 1, splitNumber: 3, axisLabel: { ...axisText, showMaxLabel: false, showMinLabel: foot === 0 }, splitLine: { lineStyle: { color: c("line") } },
      name: hours ? "kWh / h" : "kWh / d", nameTextStyle: { ...axisText, align: "right" }, nameGap: 8 }];
    if (heatmap) {
      grids.push({ left: 44, right: 14, top: "51%", bottom: 58 });
      xs.push({ ...axis, gridIndex: 1, data: days, axisLabel: heatLabel, position: "bottom" });
      ys.push({ type: "category", gridIndex: 1, inverse: true, data: [...Array(24).keys()], axisTick: { show: false }, axisLine: { show: false },
        axisLabel: { ...axisText, interval: 5, formatter: (hour) => `${String(hour).padStart(2, "0")}:00` } });
      series.push({ type: "heatmap", name: "heat", xAxisIndex: 1, yAxisIndex: 1, data: heatmap.cells, progressive: 0, animation: false });
    }
    const zoomed = hours ? [0] : xs.map((_, index) => index);
    // "weakFilter" keeps a band that begins before the part in sight.
    const inSight = (slots) => ({ startValue: sight[0] * slots, endValue: (sight[1] + 1) * slots - 1, filterMode: "weakFilter" });
    return {
      animation: false, grid: grids, xAxis: xs, yAxis: ys, series, textStyle: { fontFamily: "inherit" },
      aria: { enabled: false },
      visualMap: heatmap ? { show: false, seriesIndex: series.length - 1, dimension: 2, min: 0, max: heatmap.top, inRange: { color: dark
        ? ["#233140", "#234c73", "#2f75b5", "#86bdf0", "#eaf4ff"] : ["#e4eaf1", "#b9d0ea", "#6fa3d8", "#2467ad", "#0d2f57"] } } : undefined,
      dataZoom: [
        { type: "inside", xAxisIndex: zoomed, ...inSight(scale), zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
        { type: "slider", xAxisIndex: zoomed, ...inSight(scale), bottom: 8, height: 18, showDataShadow: false, brushSelect: false, borderColor: c("line"),
          fillerColor: c("accent", 0.12), handleStyle: { color: c("panel"), borderColor: c("dim") }, moveHandleSize: 0, textStyle: { color: c("dim"), fontSize: 10 },
          labelFormatter: (index) => short.format(dayOf(Math.floor(index / scale))) },
        ...(hours ? [{ type: "inside", disabled: true, xAxisIndex: [1], ...inSight(1) }] : []),
      ],
      tooltip: {
        trigger: "item", confine: true, backgroundColor: c("raised"), borderColor: c("line-strong"), textStyle: { color: c("ink"), fontSize: 12 }, padding: [4, 8],
        formatter(point) {
          if (point.seriesName === "hits") return echarts.format.encodeHTML(point.data.text);
          if (point.seriesName === "estimated") {
            const [at, value] = hours ? [point.dataIndex, point.value] : point.value;
            const sent = hours || data.daily[at] === null ? "" : `<br>${words.sent} ${kwh(data.daily[at])} ${incomplete.get(at) || ""}`;
            return `${worded.format(dayOf(Math.floor(at / scale)))}${hours ? `, ${at % 24}:00` : ""}<br><b>${kwh(value)}</b> ${words.estimated}${sent}`;
          }
          if (point.seriesName === "exported") return `${worded.format(dayOf(point.dataIndex))}<br><b>${kwh(-point.value)}</b> ${words.exported}`;
          if (point.seriesName === "marks") return echarts.format.encodeHTML(point.data.text);
          if (point.seriesName === "heat") return `${worded.format(dayOf(point.value[0]))}, ${point.value[1]}:00<br><b>${kwh(point.value[2])}</b>${senders.has(point.value[0] * 24 + point.value[1]) ? ` ${words.by_sender}` : ""}`;
          const day = Math.floor(point.dataIndex / scale);
          const time = hours ? `, ${point.dataIndex % 24}:00` : "";
          const median = data.band && !hours && data.band[1][day] !== null ? `<br>${words.median} ${kwh(data.band[1][day])}` : "";
          if (values[point.dataIndex] === null) return "";
          const whole = incomplete.has(day) && !hours ? ` ${incomplete.get(day)}` : "";
          const share = hours ? senders.get(point.dataIndex) : sendersByDay.get(day);
          const sender = share === undefined ? "" : hours ? ` ${words.by_sender}` : `<br>${kwh(share)} ${words.by_sender}`;
          return `${worded.format(dayOf(day))}${time}<br><b>${kwh(values[point.dataIndex])}</b>${whole}${sender}${median}`;
        },
      },
    };
  }

  chart.setOption(option());
  // The hours of the curve end with a day, so that they stand above the same day of the heat map.
  chart.on("datazoom", () => {
    const zooms = chart.getOption().dataZoom;
    const slots = mode === "hours" ? 24 : 1;
    sight = [zooms[0].startValue, zooms[0].endValue].map((index) => Math.floor(index / slots));
    if (mode !== "hours") return;
    const batch = [24, 24, 1].map((many, dataZoomIndex) => ({ dataZoomIndex, startValue: sight[0] * many, endValue: (sight[1] + 1) * many - 1 }));
    const settled = batch.every((one, index) => one.startValue === zooms[index].startValue && one.endValue === zooms[index].endValue);
    if (!settled) chart.dispatchAction({ type: "dataZoom", batch });
  });
  document.addEventListener("theme:changed", () => chart.setOption(option(), true));
  new ResizeObserver(() => chart.resize()).observe(element);
  document.querySelectorAll("[data-curve]").forEach((button) => button.addEventListener("click", () => {
    mode = button.dataset.curve;
    document.querySelectorAll("[data-curve]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    const onset = data.onset === null ? -1 : indexOf(data.onset);
    if (mode === "hours" && sight[0] === 0 && sight[1] === count - 1 && onset >= 0 && onset < count) {
      sight = [Math.max(0, onset - DAYS_AROUND_CHANGE), Math.min(count - 1, onset + DAYS_AROUND_CHANGE)];
    }
    chart.setOption(option(), true);
  }));
})();
