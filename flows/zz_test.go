package flows

import ("testing";"os";"bufio";"strings";"fmt";"llave/flows/meaning";"llave/bot")
func TestZZ(t *testing.T){
 f,_:=os.Open("/tmp/zz.txt"); a,_:=readAnswers(answersFile)
 sc:=bufio.NewScanner(f)
 for sc.Scan(){ p:=strings.SplitN(sc.Text(),"|",2); g:=a.read(meaning.Default(),p[1],bot.Place{Name:p[0]})
  fmt.Printf("%-8s %-40s",p[0],p[1]); for _,x:=range g[:4]{fmt.Printf(" %s/%s %.2f",x.meaning,x.answer,x.confidence)}; fmt.Println()}
}
