// Lines on a canvas: the small ones in the table, the large one beside it.

// Trail is the recent course of a price: one point each step of time at most, the oldest given up.
export class Trail {
  constructor(points, step) {
    this.values = new Float64Array(points);
    this.length = 0;
    this.step = step; // ms
    this.at = -Infinity; // when the newest point began
  }

  add(value, now) {
    if (this.length && now - this.at < this.step) {
      this.values[this.length - 1] = value;
      return;
    }
    if (this.length === this.values.length) {
      this.values.copyWithin(0, 1);
      this.length--;
    }
    this.values[this.length++] = value;
    this.at = now;
  }
}

export const colors = {};

// readColors takes the theme's colours over from the style sheet.
export function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['up', 'down', 'flat', 'line', 'muted', 'up-flash', 'down-flash']) colors[name] = style.getPropertyValue(`--${name}`).trim();
}

// fit gives a canvas as many pixels as it has on the screen, and returns its size in CSS pixels.
function fit(canvas) {
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// draw draws a trail from edge to edge; its colour says whether the price is above or below base. With labels it leaves room
// for the highest and lowest value at the right, written with so many digits.
export function draw(canvas, trail, base, digits) {
  const { context, width, height } = fit(canvas);
  const n = trail.length;
  if (n < 2 || !width) return;
  const values = trail.values.subarray(0, n);
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const pad = digits === undefined ? 2 : 14;
  const span = high - low || 1;
  const y = (v) => (high === low ? height / 2 : pad + ((high - v) / span) * (height - 2 * pad));
  const dx = width / (trail.values.length - 1);
  const x = (i) => width - (n - 1 - i) * dx;
  const last = values[n - 1];
  const color = last > base ? colors.up : last < base ? colors.down : colors.flat;

  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(x(i), y(values[i]));
  context.strokeStyle = color;
  context.lineWidth = digits === undefined ? 1.25 : 1.75;
  context.lineJoin = 'round';
  context.stroke();
  context.lineTo(width, height);
  context.lineTo(x(0), height);
  context.globalAlpha = 0.12;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
  if (digits === undefined) return;

  context.font = '11px system-ui, sans-serif';
  context.fillStyle = colors.muted;
  context.fillText(high.toFixed(digits), 6, 11);
  context.fillText(low.toFixed(digits), 6, height - 3);
  if (base > low && base < high) {
    context.setLineDash([3, 4]);
    context.strokeStyle = colors.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, y(base));
    context.lineTo(width, y(base));
    context.stroke();
    context.setLineDash([]);
  }
}
