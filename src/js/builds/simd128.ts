/** The worker of the build for every browser, on one thread. */
import * as bindings from './simd128/qwen3_rerank.js';
import { serve } from '../worker.js';

serve(bindings);
