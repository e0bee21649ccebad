module example.com/libworkerpool

go 1.19
