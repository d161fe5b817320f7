// A short low double tone for a scan that cannot be used. Where there is no sound the words alone say it.
export function beep(): void {
  if (typeof AudioContext === 'undefined') return;
  const audio = new AudioContext();
  const volume = audio.createGain();
  volume.gain.value = 0.12;
  volume.connect(audio.destination);
  const tone = (from: number) => {
    const wave = audio.createOscillator();
    wave.type = 'square';
    wave.frequency.value = 220;
    wave.connect(volume);
    wave.start(audio.currentTime + from);
    wave.stop(audio.currentTime + from + 0.11);
    return wave;
  };
  tone(0);
  tone(0.17).onended = () => void audio.close();
}
