# CPU-only build for machines without CMake, over the source list that CMakeLists.txt reads. Not in the package root on purpose: npm would run it.
{
  "variables": {
    "version": "<!(node -p \"require('../../package.json').version\")",
    "addon_sources": "<!(node -p \"require('../sources.json').addon.map(f => '../../' + f).join(' ')\")",
    "core_sources": "<!(node -p \"require('../sources.json').core.map(f => '../../' + f).join(' ')\")",
    "onednn_source": "<!(node -p \"'../../' + require('../sources.json').onednn\")",
    "have_onednn%": "<!(node -p \"Number(['/usr/include', '/usr/local/include'].some(d => fs.existsSync(d + '/oneapi/dnnl/dnnl.hpp')))\")"
  },
  "target_defaults": {
    "defines": ["LCONV_VERSION=\"<(version)\""],
    "include_dirs": [".."],
    "cflags": ["-O3", "-Wall", "-Wextra", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-fPIC", "-pthread", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing"],
    "cflags_cc": ["-std=c++17"],
    "conditions": [
      ["target_arch=='x64'", {"defines": ["LCONV_HAVE_AVX2", "LCONV_HAVE_AVX512"]}],
      ["have_onednn==1", {"defines": ["LCONV_HAVE_ONEDNN"]}]
    ],
    # On macOS gyp goes by these alone. Late, as node-gyp's own settings for all targets would win over them; what all share is in WARNING_CFLAGS, as
    # OTHER_CFLAGS are those of one target.
    "target_conditions": [
      ["OS=='mac'", {
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
          "CLANG_CXX_LIBRARY": "libc++",
          "MACOSX_DEPLOYMENT_TARGET": "11.0",
          "GCC_OPTIMIZATION_LEVEL": "3",
          "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
          "GCC_ENABLE_CPP_RTTI": "YES",
          "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
          "GCC_INLINES_ARE_PRIVATE_EXTERN": "YES",
          "WARNING_CFLAGS": ["-Wall", "-Wextra", "-Wno-pass-failed", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
        }
      }]
    ]
  },
  "targets": [
    {
      "target_name": "lconv",
      "type": "loadable_module",
      "sources": ["<@(addon_sources)", "<@(core_sources)"],
      "defines": ["<!@(node -p \"require('../sources.json').addon_definitions.join(' ')\")"],
      "include_dirs": ["<!@(node ../../scripts/nodeApi.mjs)"],
      "ldflags": ["-pthread", "-Wl,-Bsymbolic", "-Wl,-z,nodelete"],
      "dependencies": ["lconv_kernels_baseline"],
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["lconv_kernels_avx2", "lconv_kernels_avx512", "lconv_kernels_avx512_bf16"]}],
        ["have_onednn==1", {"dependencies": ["lconv_onednn"]}]
      ]
    },
    {
      "target_name": "lconv_kernels_baseline",
      "type": "static_library",
      "sources": ["kernels_baseline.cpp"],
      "defines": ["LCONV_ISA=baseline"]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "lconv_kernels_avx2",
          "type": "static_library",
          "sources": ["kernels_avx2.cpp"],
          "defines": ["LCONV_ISA=avx2"],
          "cflags": ["-march=x86-64-v3", "-mprefer-vector-width=256"],
          "xcode_settings": {"OTHER_CFLAGS": ["-march=x86-64-v3", "-mprefer-vector-width=256"]}
        },
        {
          "target_name": "lconv_kernels_avx512",
          "type": "static_library",
          "sources": ["kernels_avx512.cpp"],
          "defines": ["LCONV_ISA=avx512"],
          "cflags": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
          "xcode_settings": {"OTHER_CFLAGS": ["-march=x86-64-v4", "-mprefer-vector-width=512"]}
        },
        {
          "target_name": "lconv_kernels_avx512_bf16",
          "type": "static_library",
          "sources": ["kernels_avx512_bf16.cpp"],
          "defines": ["LCONV_ISA=avx512_bf16", "LCONV_BF16_ALONE"],
          "cflags": ["-march=x86-64-v4", "-mavx512bf16", "-mprefer-vector-width=512"],
          "xcode_settings": {"OTHER_CFLAGS": ["-march=x86-64-v4", "-mavx512bf16", "-mprefer-vector-width=512"]}
        }
      ]
    }],
    ["have_onednn==1", {
      "targets": [
        {
          "target_name": "lconv_onednn",
          "type": "loadable_module",
          "target_conditions": [["_type=='loadable_module'", {"product_extension": "so"}]],
          "sources": ["<(onednn_source)"],
          "libraries": ["-ldnnl"],
          "cflags": ["-fopenmp"],
          "ldflags": ["-fopenmp", "-Wl,-Bsymbolic"]
        }
      ]
    }]
  ]
}
