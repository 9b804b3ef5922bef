// What the page does while the app's WebAssembly arrives: moves the bar, and says so when it cannot.

// Nothing came for this long, ms: the connection is dead though nobody said so.
const STALL = 20_000;

export default function loader() {
  const boot = window.bmtBoot;
  let watch;
  const wait = () => {
    clearTimeout(watch);
    watch = setTimeout(() => boot.fail(), STALL);
  };
  return {
    onStart: wait,
    onProgress({ current, total }) {
      wait();
      // The last tenth is the compiler's.
      if (total > 0) boot.progress((current / total) * 0.9);
    },
    onComplete() {
      clearTimeout(watch);
    },
    onFailure() {
      boot.fail();
    },
  };
}
