// Charts in the page's own colours, which follow the theme. What they show is also said in words beside them.

const shade = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(valueText) {
  const line = { stroke: shade("--quiet"), grid: { stroke: shade("--line"), width: 1 }, ticks: { show: false } };
  const font = "12px system-ui, sans-serif";
  return [
    { ...line, font, size: 28, grid: { show: false } },
    { ...line, font, size: 52, values: (_, found) => found.map(valueText) },
  ];
}

/** One chart in a box; `draw` makes it anew, which is fast enough for a month and follows every change of theme. */
export class Chart {
  constructor(box, make) {
    this.box = box;
    this.make = make;
    new ResizeObserver(() => this.again()).observe(box);
  }

  draw(...what) {
    this.what = what;
    this.again();
  }

  again() {
    if (!this.what || !this.box.clientWidth) return;
    this.plot?.destroy();
    const size = { width: this.box.clientWidth, height: this.box.clientHeight };
    this.plot = new uPlot({ ...size, legend: { show: false }, ...this.make(...this.what) }, this.what[0], this.box);
  }
}

/** Bars, one a day; `chosen`: the place of the day that stands out. `click` is told a place. */
export function bars(valueText, dayOf, chosen, mean, click) {
  const fill = (plot) => plot.data[0].map((_, at) => shade(at === chosen ? "--accent" : "--bar"));
  return {
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { time: false, range: (_, from, to) => [from - 0.6, to + 0.6] }, y: { range: (_, low, high) => [0, high * 1.1 || 1] } },
    axes: (([x, y]) => [{ ...x, values: (_, found) => found.map((at) => (Number.isInteger(at) ? dayOf(at) : "")), space: 56 }, y])(axes(valueText)),
    series: [{}, {
      fill: shade("--bar"), width: 0,
      paths: uPlot.paths.bars({ size: [0.72, 42], radius: 0.18, disp: { fill: { unit: 3, values: fill } } }),
      points: { show: false },
    }],
    hooks: {
      ready: [(plot) => plot.over.addEventListener("click", () => plot.cursor.idx !== null && click(plot.cursor.idx))],
      draw: [(plot) => {
        if (mean === null) return;
        const y = Math.round(plot.valToPos(mean, "y", true)) + 0.5, { left, width } = plot.bbox;
        plot.ctx.save();
        plot.ctx.strokeStyle = shade("--quiet");
        plot.ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
        plot.ctx.lineWidth = devicePixelRatio;
        plot.ctx.beginPath();
        plot.ctx.moveTo(left, y);
        plot.ctx.lineTo(left + width, y);
        plot.ctx.stroke();
        plot.ctx.restore();
      }],
    },
  };
}

/** A line over the last minutes; `x` in seconds since 1970. */
export function line(valueText) {
  const [x, y] = axes(valueText);
  const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
  return {
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: (_, from, to) => [Math.min(from, to - 60), to] }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.15)] } },
    axes: [{ ...x, space: 90, values: (_, found) => found.map((at) => (Number.isInteger(at) ? clock(at) : "")) }, y],
    series: [{}, { stroke: shade("--accent"), fill: shade("--wash"), width: 2, points: { show: false } }],
  };
}
