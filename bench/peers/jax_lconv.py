"""JAX peer of the L-conv cases: whole train step under jax.jit, both contraction orders.

usage: python jax_lconv.py [batch [seconds [cases]]]      (needs jax, numpy)      cases: mnist/lconv,cifar100/lconv2
"""
import json, time, math, functools, sys
import jax, jax.numpy as jnp, numpy as np

def init(key, d, m, c, layers, n, dh, f):
    ps, mi = [], m
    for i in range(layers):
        k = jax.random.split(jax.random.fold_in(key, i), 4)
        ps.append(dict(U=jax.random.normal(k[0], (n, d, dh)) / math.sqrt(dh), V=jax.random.normal(k[1], (n, dh, d)) / math.sqrt(d),
                       W=jax.random.normal(k[2], (n, mi, f)) / math.sqrt(mi * (n + 1)), W0=jax.random.normal(k[3], (mi, f)) / math.sqrt(mi * (n + 1)), b=jnp.zeros(f)))
        mi = f
    return ps, dict(w=jax.random.normal(key, (d * f, c)) / math.sqrt(d * f), b=jnp.zeros(c))

def fwd(params, h, order):
    ls, out = params
    for p in ls:
        n, d, dh = p["U"].shape
        z = jnp.einsum("nhe,bem->bnhm", p["V"], h)
        if order == "vwu":
            z = jnp.einsum("bnhm,nmo->bnho", z, p["W"])
            y = jnp.einsum("ndh,bnho->bdo", p["U"], z)
        else:
            z = jnp.einsum("ndh,bnhm->bndm", p["U"], z)
            y = jnp.einsum("bndm,nmo->bdo", z, p["W"])
        h = jax.nn.relu(y + h @ p["W0"] + p["b"])
    return h.reshape(h.shape[0], -1) @ out["w"] + out["b"]

def loss(params, x, y, order):
    lp = jax.nn.log_softmax(fwd(params, x, order))
    return -jnp.mean(lp[jnp.arange(y.shape[0]), y])

@functools.partial(jax.jit, static_argnums=3, donate_argnums=0)
def step(params, x, y, order):
    l, g = jax.value_and_grad(loss)(params, x, y, order)
    return jax.tree.map(lambda p, q: p - 1e-2 * q, params, g), l

B = int(sys.argv[1]) if len(sys.argv) > 1 else 64
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3
cases = sys.argv[3].split(",") if len(sys.argv) > 3 else None
for st, (p, m, c) in {"mnist": (28, 1, 10), "cifar100": (32, 3, 100)}.items():
    for layers, dh in ((1, 16), (2, 8)):
        if cases and f"{st}/lconv{layers if layers > 1 else ''}" not in cases: continue
        for order in ("vwu", "vuw"):
            d = p * p; key = jax.random.PRNGKey(0)
            params = init(key, d, m, c, layers, 9, dh, 32)
            x = jax.random.normal(key, (B, d, m)); y = jax.random.randint(key, (B,), 0, c)
            params, l = step(params, x, y, order); l.block_until_ready(); ts = []; e = time.time() + seconds
            while time.time() < e:
                t = time.perf_counter(); params, l = step(params, x, y, order); l.block_until_ready(); ts.append(time.perf_counter() - t)
            ts.sort(); print(json.dumps(dict(case=f"{st}/lconv{layers}/{order}/b{B}", ms_per_step=round(ts[len(ts)//2]*1e3, 3), best_ms=round(ts[0]*1e3, 3))), flush=True)
