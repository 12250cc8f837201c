module github.com/roostws/roost/bench/compare

go 1.26.0

replace github.com/roostws/roost => ../..
